# For graph networks, which would read padding: every clip in 64 frames.
_base_ = 'downstream_skeleton.py'

train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='ResampleFrames', num_frames=64),
    *_base_.train_pipeline[2:],
]
