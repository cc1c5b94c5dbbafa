# MS2L's views for graph networks, which would read padding: every clip in 64 frames. Our choice.
_base_ = 'ms2l_skeleton.py'

train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='ResampleFrames', num_frames=64),
    *_base_.train_pipeline[1:],
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=train_pipeline))
