# CSVR on R3D-18, by default on Kinetics-400: --set ucf101, hmdb51, sthv2 or another set, or your
# own videos (--data DIR). 16 frames, the 16 after them, and 3 I-frames, at 112x112.
_base_ = ['_base_/views/r3d18.py', '_base_/methods/csvr.py']

model = dict(backbone=_base_.encoder.backbone, heads=dict(pose=dict(num_joints=_base_.pose_joints)))
views = dict(
    clip=dict(num_frames='$frames', stride=_base_.get('strides', '$stride')),
    future=dict(num_frames='$frames'),
    keyframes=dict(num_frames=3),
)
sample_views = dict(type='SampleViews', **views)
load_poses = dict(_base_.load_poses, layout=_base_.pose_layout)
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=_base_.augment),
    dict(type='TransformViews', views=('keyframes',), transforms=_base_.augment),
    _base_.pack,
]
pipeline = [sample_views, load_poses, *make_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
train_cfg = dict(max_epochs=_base_.epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=_base_.epochs)]
