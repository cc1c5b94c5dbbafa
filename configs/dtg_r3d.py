# DTG-Net on R3D-18, by default on Kinetics-400: --set ucf101, hmdb51 or another set, or --data DIR.
# Two clips of 16 frames from anywhere in a video, at 112x112.
_base_ = ['_base_/views/r3d18.py', '_base_/methods/dtg.py']

model = dict(backbone=_base_.encoder.backbone)
clip = dict(num_frames='$frames', stride='$stride')
augment = [*_base_.augment, _base_.jitter]
pipeline = [
    dict(type='SampleViews', clip=clip, clip_b=clip),
    *_base_.load_targets,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
train_cfg = dict(max_epochs=_base_.epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=_base_.epochs)]
