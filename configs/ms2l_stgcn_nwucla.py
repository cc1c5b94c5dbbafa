# MS2L's tasks on mmaction2's ST-GCN, NW-UCLA (views 1 and 2).
_base_ = ['_base_/sets/nwucla.py', '_base_/students/stgcn.py', '_base_/methods/ms2l-graph.py']

model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout),
    heads=dict(motion=_base_.bodies),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
