# DTG-Net on the small student, under an ImageNet classifier and a pose network; for two cores.
_base_ = ['dtg.py', 'video-small.py']

views = _base_.views
model = dict(
    data_preprocessor=dict(
        targets=[f'{v}.{name}' for v in views for name in ('valid', 'imagenet', 'pose')]
    ),
    # Any cue soon distinguishes few videos, so the teachers have more weight than the contrast.
    # Chosen on videos held out of JHMDB's training split.
    heads=dict(
        guidance=dict(
            in_channels=128,
            teachers=dict(
                _delete_=True,
                imagenet=dict(channels=1280),
                pose=dict(joints=17, deviation=True),
            ),
            contrast=0.2,
            agreement=5.0,
            weights=dict(type='FixedTeacherWeights', weights=dict(imagenet=4.0)),
        ),
        contrast=dict(in_channels=128),
    ),
    balancer=dict(weights=dict(contrast=0.1)),
)

# Two clips of 8 frames at 64x64, each at its own speed.
clip = dict(num_frames=8, stride=(2, 1))
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
sample_test_views = dict(sample_views, test_mode=True)
load_poses = dict(
    type='LoadTargets', target='pose', cache='pose.lmdb', views=views, layout='coco17'
)
load_targets = [
    dict(_base_.embedding, target='imagenet', cache='efficientnet_lite0_imagenet.lmdb'),
    load_poses,
]
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=views, transforms=[_base_.center_crop]),
]
train_steps = [sample_views, *load_targets, *make_views]
test_steps = [sample_test_views, *load_targets, *make_test_views]
train_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(pipeline=[*train_steps, _base_.pack])
)
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, _base_.pack]))

train_cfg = dict(max_epochs=20)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=20)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
