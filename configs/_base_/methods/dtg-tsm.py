# DTG-Net on a 2D student that starts from ImageNet, under the same two teachers: the ImageNet
# classifier at 224 pixels guides the student at 112, by single frames and by whole clips. Two clips
# of 8 frames, one from each of 8 equal parts of the video; for two cores.
_base_ = 'dtg-small.py'

views = _base_.views
model = dict(
    frame_wise=True,
    heads=dict(
        frames=dict(type='FrameGuidanceHead', in_channels=1280, channels=1280),
        guidance=dict(
            in_channels=1280,
            teachers=dict(imagenet=dict(deviation=True)),
            # Linear, so that a linear probe finds the same information.
            hidden_dim=0,
            weights=dict(weights=dict(imagenet=1.0)),
        ),
        contrast=None,
    ),
    # Gives the frames as large a share of the gradient as each teacher of whole clips.
    balancer=dict(weights=dict(frames=2.5)),
)

clip = dict(num_frames=8, segments=True)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
resize = dict(_base_.resize, scale=(112, 112))
augment = [_base_.crop, resize, _base_.flip, _base_.jitter]
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
center_crop = dict(type='mmaction.CenterCrop', crop_size=112)
make_test_views = [
    dict(type='DecodeViews', short_side=112),
    dict(type='TransformViews', views=views, transforms=[center_crop]),
]
train_steps = [sample_views, *_base_.load_targets, *make_views]
test_steps = [dict(sample_views, test_mode=True), *_base_.load_targets, *make_test_views]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=[*train_steps, _base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, _base_.pack]))
# Four epochs: on held-out training sources 400 steps gave no better features than 150, because the
# student soon memorizes the training videos.
train_cfg = dict(max_epochs=4)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=4)]
optim_wrapper = dict(optimizer=dict(lr=5e-4))
auto_scale_lr = dict(base_batch_size=8)
