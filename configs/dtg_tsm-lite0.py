# DTG-Net on your own videos (--data DIR), or --set jhmdb or another set, on EfficientNet-Lite0 with
# the temporal shift, from ImageNet. Its teachers are an ImageNet classifier and a pose network.
_base_ = ['_base_/views/tsm.py', '_base_/methods/dtg-small.py']

model = dict(
    frame_wise=True,
    backbone=_base_.encoder.backbone,
    heads=dict(
        frames=dict(type='FrameGuidanceHead', in_channels=1280, channels=1280),
        guidance=dict(
            in_channels=1280,
            teachers=dict(imagenet=dict(deviation=True), pose=dict(joints=_base_.pose_joints)),
            # Linear, so that a linear probe finds the same information.
            hidden_dim=0,
            weights=dict(weights=dict(imagenet=1.0)),
        ),
        contrast=None,
    ),
    # Gives the frames as large a share of the gradient as each teacher of whole clips.
    balancer=dict(weights=dict(frames=2.5)),
)
images, poses = _base_.load_targets
load_targets = [images, dict(poses, layout=_base_.pose_layout)]
sample_views = dict(type='SampleViews', clip=_base_.clip, clip_b=_base_.clip)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
train_steps = [sample_views, *load_targets, *make_views]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=_base_.views, transforms=[_base_.center_crop]),
]
test_steps = [dict(sample_views, test_mode=True), *load_targets, *make_test_views]
train_pipeline = [*train_steps, _base_.pack]
train_dataloader = dict(batch_size=8, dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, _base_.pack]))

# On held-out training sources of JHMDB 400 steps gave no better features than 150, because the
# student soon memorizes the training videos.
epochs = 4 * 675 // _base_.num_videos
rise = max(1, epochs // 20)  # a warm-up of one epoch would be too short in epochs of one step
train_cfg = dict(max_epochs=epochs)
param_scheduler = [
    dict(_base_.warmup, end=rise),
    dict(_base_.cosine, begin=rise, end=epochs),
]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
auto_scale_lr = dict(base_batch_size=8)
