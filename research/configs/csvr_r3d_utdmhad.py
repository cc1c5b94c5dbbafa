# CSVR on UTD-MHAD (real depth video) with poses from the sensor, sized for two cores.
_base_ = [
    'mmact_ssl::_base_/sets/utdmhad.py',
    'mmact_ssl::_base_/students/r3d18-small.py',
    'mmact_ssl::_base_/methods/csvr-small.py',
]

# Without a background, an I-frame shows mainly the person, which does not help for new subjects.
# The camera stands still: in the view's coordinates poses depend mostly on the random crop.
model = dict(
    backbone=_base_.backbone,
    heads=dict(pose=dict(num_joints=20, loss=dict(type='JointLoss', beta=0.05, posture=3.0))),
    balancer=dict(weights=dict(pose=6.0, context=0.05)),
)
# Actions are longer than in JHMDB.
views = dict(clip=dict(num_frames=8, stride=4), future=dict(num_frames=8, stride=2))
sample_views = dict(_base_.sample_views, **views)
sample_test_views = dict(_base_.sample_test_views, **views)
load_poses = dict(_base_.load_poses, layout='kinect20')
augment = [_base_.gentle_crop, _base_.resize, _base_.no_flip]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
train_pipeline = [sample_views, load_poses, *make_views]
test_pipeline = [sample_test_views, load_poses, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=50)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=50)]
