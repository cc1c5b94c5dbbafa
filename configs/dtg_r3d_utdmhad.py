# DTG-Net on UTD-MHAD (real depth video), guided by the poses of its sensor. This is the only
# teacher, because image classifiers are not trained on depth.
_base_ = ['_base_/sets/utdmhad.py', '_base_/students/r3d18-small.py', '_base_/methods/dtg-small.py']

model = dict(
    backbone=_base_.backbone,
    data_preprocessor=dict(targets=['clip.valid', 'clip.pose', 'clip_b.valid', 'clip_b.pose']),
    heads=dict(
        guidance=dict(
            teachers=dict(imagenet=None, pose=dict(joints=20)), weights=dict(weights=None)
        )
    ),
)
# Actions are longer than in JHMDB.
clip = dict(num_frames=8, stride=4)
sample_views = dict(_base_.sample_views, clip=clip, clip_b=clip)
sample_test_views = dict(sample_views, test_mode=True)
load_poses = dict(_base_.load_poses, layout='kinect20')
augment = [_base_.gentle_crop, _base_.resize, _base_.no_flip]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
train_pipeline = [sample_views, load_poses, *make_views, _base_.pack]
test_pipeline = [sample_test_views, load_poses, *_base_.make_test_views, _base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
train_cfg = dict(max_epochs=30)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=30)]
