# CSVR on the small student, with heads to match, sized for two cores.
_base_ = ['csvr.py', 'video-small.py']

generation = dict(
    in_channels=128,
    channels=64,
    discriminator_channels=8,
    resolutions=(16, 32),
)
model = dict(
    adapters=dict(
        dynamic=dict(in_channels=128, out_channels=128),
        static=dict(in_channels=32, out_channels=128),
    ),
    heads=dict(
        pose=dict(in_channels=128, observed_frames=8, hidden_dim=256),
        context=dict(
            in_channels=128,
            frame_encoder=dict(base_channels=16, stem_channels=16),
            frame_channels=128,
            hidden_dim=256,
        ),
        current=generation,
        future=generation,
    ),
    # Under Adam these weights do not change how a head's own parameters train. They set which task
    # shapes the feature map: mostly poses. A larger weight of frames gives better frames and a
    # worse student.
    balancer=dict(weights=dict(pose=20.0, context=0.5, current=1.0, future=1.0)),
)

# 8 frames, the 8 after them at the same speed, and 3 I-frames, at 64x64. The stride is random among
# those that fit: 2 for videos of 32 frames and more.
views = dict(
    clip=dict(num_frames=8, stride=(2, 1)),
    future=dict(num_frames=8),
    keyframes=dict(num_frames=3),
)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
make_test_views = [
    _base_.decode_test,
    dict(
        type='TransformViews',
        views=('clip', 'future', 'keyframes'),
        transforms=[_base_.center_crop],
    ),
    _base_.pack,
]
sample_views = dict(type='SampleViews', **views)
sample_test_views = dict(type='SampleViews', **views, test_mode=True)
train_pipeline = [sample_views, _base_.load_poses, *make_views]
test_pipeline = [sample_test_views, _base_.load_poses, *make_test_views]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=40)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=40)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
