# C2VL on a graph network: on your own skeletons (--data DIR), or --set ntu60-xsub, ntu60-xview,
# ntu120-xsub, ntu120-xset, pkummd1 or pkummd2, with sentences released by the authors.
_base_ = [
    '{{$MMACT_SSL_SET:_base_/sets/folder-skeleton.py}}',
    '_base_/students/stgcn.py',
    '_base_/methods/c2vl.py',
]

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(num_workers=4, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
