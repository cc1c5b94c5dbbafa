# For graph networks, which would read padding: every clip in 64 frames, normalised as for tasks.
_base_ = 'downstream_nwucla.py'

train_pipeline = [
    dict(type='NormaliseSkeleton', mode='first_frame'),
    dict(type='ResampleFrames', num_frames=64),
    *_base_.train_pipeline[1:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=train_pipeline))
