# DTG-Net on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/r3d18.py', '_base_/methods/dtg.py']

model = dict(backbone=_base_.backbone)
sample_views = dict(_base_.sample_views, on_references=True)
train_pipeline = [sample_views, *_base_.load_targets, *_base_.make_views, _base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
