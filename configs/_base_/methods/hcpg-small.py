# HCPG on the small student, contrast in the batch; sized for two cores.
_base_ = ['hcpg.py', 'video-small.py']

views = _base_.views
adapter = dict(in_channels=128, out_channels=64)
contrast = dict(in_channels=64, hidden_dim=256)
model = dict(
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=contrast,
        motion=contrast,
        parsing=dict(in_channels=64, map_size=(16, 16), hidden_dim=32),
    ),
    # The contrasts recognize a video by its background, with a large gradient: with these weights
    # parsing has half of the feature map's gradient.
    balancer=dict(weights=dict(appearance=0.01, motion=0.01)),
)

# Two clips of 8 frames at 64x64.
clip = dict(num_frames=8, stride=(1, 2, 4))
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
pack = dict(type='PackInputs', views=views, video=True)
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(16, 16)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    pack,
]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=views, transforms=[_base_.center_crop], map_size=(16, 16)),
    pack,
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(pipeline=[sample_views, _base_.load_parts, *make_views]),
)
test_dataloader = dict(dataset=dict(pipeline=[sample_views, _base_.load_parts, *make_test_views]))

train_cfg = dict(max_epochs=20)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=20)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
