# HCPG on R3D-18, by default on Kinetics-400: --set ucf101 or another set, or your own videos
# (--data DIR). Two clips of 16 frames at 112x112 from anywhere in a video, at two different speeds,
# each with its own crop, flip and colors; and the part maps of the first, with the same crop and
# flip. The clips are contrasted with the keys of a momentum encoder in a queue.
_base_ = ['_base_/views/r3d18.py', '_base_/methods/hcpg.py']

queue = dict(queue_size=_base_.get('queue_size', 16_384))
model = dict(
    backbone=_base_.encoder.backbone,
    encode=('clip',),
    momentum_encoder=dict(views=('clip_b',), momentum=0.999),
    heads=dict(appearance=queue, motion=queue),
)
clip = dict(num_frames='$frames', stride=(1, 2, 4))
augment = [*_base_.augment, _base_.jitter]
pipeline = [
    dict(type='SampleViews', clip=clip, clip_b=clip, differ=True),
    _base_.load_parts,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(28, 28)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
train_cfg = dict(max_epochs=_base_.epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=_base_.epochs)]
