# Shared downstream settings of mmaction2's graph networks of 256 channels. They would read padding,
# so every clip has 64 frames, or as many as its set gives.
_base_ = 'skeleton.py'

bodies = _base_.bodies
model = dict(
    backbone=dict(
        layout=bodies.layout,
        network={key: bodies[key] for key in ('in_channels',) if key in bodies},
    ),
    cls_head=dict(in_channels=256),
)
resample = dict(type='ResampleFrames', num_frames=_base_.get('clip_frames', 64))
pipeline = [_base_.normalize, resample, _base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
