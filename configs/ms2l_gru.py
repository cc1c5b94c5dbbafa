# MS2L as published on your own skeletons (--data DIR), or --set ntu60-xsub, ntu60-xview,
# ntu120-xsub, ntu120-xset, pkummd1 or pkummd2.
_base_ = [
    '{{$MMACT_SSL_SET:_base_/sets/folder-skeleton.py}}',
    '_base_/students/gru.py',
    '_base_/methods/ms2l.py',
]

bodies = _base_.bodies
model = dict(
    backbone=dict(_base_.backbone, **bodies),
    heads=dict(motion=dict(layout=bodies.layout, num_persons=bodies.num_persons)),
)
train_dataloader = dict(num_workers=4, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
