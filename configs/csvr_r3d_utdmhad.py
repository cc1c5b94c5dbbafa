# CSVR on UTD-MHAD (real depth video) with poses from the sensor, sized for two cores.
_base_ = [
    '_base_/sets/utdmhad.py',
    '_base_/students/r3d18-small.py',
    '_base_/methods/csvr-small.py',
]

# Without a background, an I-frame tells who moves, which is of no use for new subjects.
model = dict(
    backbone=_base_.backbone,
    heads=dict(pose=dict(num_joints=20)),
    balancer=dict(weights=dict(context=0.05, video=0.1)),
)
# Actions last longer here than in JHMDB.
clip = dict(num_frames=8, stride=4)
sample_views = dict(_base_.sample_views, clip=clip)
sample_test_views = dict(_base_.sample_test_views, clip=clip)
load_poses = dict(_base_.load_poses, layout='kinect20')
# The camera stands still: crops that move the person far would drown how the arms move. Some
# actions differ only in left and right: no flip.
augment = [
    dict(
        type='mmaction.RandomResizedCrop',
        area_range=(0.7, 1.0),
        aspect_ratio_range=(0.9, 1.1),
    ),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='HorizontalFlip', layout='kinect20', flip_ratio=0.0),
]
make_views = [
    dict(type='DecodeViews', short_side=80),
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
train_pipeline = [sample_views, load_poses, *make_views]
test_pipeline = [sample_test_views, load_poses, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=70)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=70, convert_to_iter_based=True),
]
