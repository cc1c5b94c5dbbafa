# Two augmented views of a skeleton clip for GRUs over joints, bones and motion (the student is
# gru-streams), on the set of --set or the prepared folder of --data. The views of skeletons are
# `one` and `two`, where those of videos are `clip` and `clip_b`.
_base_ = [
    '{{$MMACT_SSL_SET:../sets/folder-skeleton.py}}',
    '../students/gru-streams.py',
    '../methods/skeleton-views.py',
]

head_sizes = dict(in_channels=768, streams=3)  # mean and maximum of three streams
model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
# Some sets have actions that differ in left and right.
flip = [dict(type='SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
augment = [_base_.crop, *_base_.move, *flip, *_base_.change]
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pipeline = [_base_.normalize, make_views, _base_.pack]
# The statistics of Barlow Twins and VICReg over the few clips of a last batch are noise. All rivals
# have the same batches.
train_dataloader = dict(drop_last=True, dataset=dict(_base_.train_set, pipeline=pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=pipeline))
# As many steps as MS2L's two views take on NW-UCLA, whatever the set's size.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=960)
warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=40)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=40, end=960)
param_scheduler = [warmup, cosine]
