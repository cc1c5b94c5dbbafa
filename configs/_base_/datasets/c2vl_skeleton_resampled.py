# The same for graph networks, which read joints alone and 64 frames: our choice.
_base_ = 'c2vl_skeleton.py'

augment = [
    {**_base_.augment[0], 'num_frames': 64},
    *[step for step in _base_.augment[1:] if step['type'] != 'BonesAndMotion'],
]
view = dict(type='MakeSkeletonViews', views=dict(clip=augment))
train_pipeline = [*_base_.train_pipeline[:2], view, _base_.train_pipeline[3]]
test_pipeline = [*_base_.test_pipeline[:2], view, _base_.test_pipeline[3]]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
