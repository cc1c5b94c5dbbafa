# Pace prediction (arXiv 2008.05861) on Kinetics-400 in mmaction2's layout: R3D-18, a clip of 16
# frames at a stride of 1 to 4, as published.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/r3d18.py', '_base_/rivals/clips.py']

views = ('clip',)
strides = (1, 2, 3, 4)
model = dict(
    backbone=_base_.backbone,
    data_preprocessor=dict(views=views, targets=('clip.speed', 'clip.valid')),
    encode=views,
    heads=dict(speed=dict(type='SpeedHead', in_channels=512, strides=strides)),
)
sample_views = dict(type='SampleViews', clip=dict(num_frames=16, stride=strides))
pipeline = [sample_views, *_base_.make_clip, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
