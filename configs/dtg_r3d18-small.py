# DTG-Net on the small R3D-18, by default on the demo world: --set jhmdb or another set, or your own
# videos (--data DIR). Two clips of 8 frames at 64x64, each at its own speed.
_base_ = ['_base_/views/small.py', 'encoders/r3d18-small.py', '_base_/methods/dtg-small.py']

pose = dict(joints=_base_.pose_joints)
model = dict(backbone=_base_.encoder.backbone, heads=dict(guidance=dict(teachers=dict(pose=pose))))
images, poses = _base_.load_targets
load_targets = [images, dict(poses, layout=_base_.pose_layout)]
clip = dict(num_frames='$frames', stride=('$stride', 1))
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
train_pipeline = [
    sample_views,
    *load_targets,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=_base_.views, transforms=[_base_.center_crop]),
    _base_.pack,
]
test_pipeline = [dict(sample_views, test_mode=True), *load_targets, *make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
