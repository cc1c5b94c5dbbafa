_base_ = ['../_base_/sets/sthv2.py', '../_base_/downstream/r3d18.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
# Some actions differ only in left and right: no flip.
flip = dict(_base_.flip, flip_ratio=0.0)
train_pipeline = [
    _base_.open_video,
    _base_.sample,
    _base_.decode,
    *_base_.augment,
    flip,
    *_base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_videos, pipeline=train_pipeline))
test_dataloader = dict(dataset=_base_.test_videos)
# No group_pattern: each video was filmed for itself, and its name does not give by whom.
linear = dict(one_standard_error=True)
