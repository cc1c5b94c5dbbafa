# CSVR on the small R3D-18, by default on the demo world: --set jhmdb or another set, or your own
# videos (--data DIR). 8 frames, the 8 after them at the same speed, and 3 I-frames. The stride is
# random among those that fit: 2 for videos of 32 frames and more.
_base_ = [
    '_base_/views/small.py',
    'encoders/r3d18-small.py',
    '_base_/methods/csvr-small.py',
]

model = dict(backbone=_base_.encoder.backbone, heads=dict(pose=dict(num_joints=_base_.pose_joints)))
views = dict(
    clip=dict(num_frames='$frames', stride=('$stride', 1)),
    future=dict(num_frames='$frames'),
    keyframes=dict(num_frames=3),
)
sample_views = dict(type='SampleViews', **views)
sample_test_views = dict(sample_views, test_mode=True)
load_poses = dict(_base_.load_poses, layout=_base_.pose_layout)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=tuple(views), transforms=[_base_.center_crop]),
    _base_.pack,
]
train_pipeline = [sample_views, load_poses, *make_views]
test_pipeline = [sample_test_views, load_poses, *make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
