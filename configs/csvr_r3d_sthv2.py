# CSVR on Something-Something v2: R3D-18, 16 frames and the 16 after them at a random stride of 1 or
# 2, in videos of fewer than 64 frames 1; 112x112.
_base_ = ['_base_/sets/sthv2.py', '_base_/students/r3d18.py', '_base_/methods/csvr.py']

model = dict(backbone=_base_.backbone)
clip = dict(num_frames=16, stride=(2, 1))
sample_views = dict(_base_.sample_views, clip=clip, future=dict(num_frames=16))
augment = [*_base_.crop_112, _base_.no_flip]
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
train_pipeline = [sample_views, _base_.load_poses, *make_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
