_base_ = ['../_base_/sets/utdmhad.py', '../_base_/downstream/r3d18-small.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
# Actions are longer here than elsewhere, and some differ only in left and right: no flip.
sample = dict(_base_.sample, frame_interval=4)
sample_test = dict(_base_.sample_test, frame_interval=4)
flip = dict(_base_.flip, flip_ratio=0.0)
train_pipeline = [_base_.open_video, sample, _base_.decode, *_base_.augment, flip, *_base_.pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *_base_.center_crop, *_base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_videos, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_videos, pipeline=test_pipeline))
linear = dict(group_pattern=_base_.group_pattern)
