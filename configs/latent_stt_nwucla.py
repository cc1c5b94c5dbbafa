# Latent prediction on NW-UCLA (views 1 and 2), sized for two cores.
_base_ = ['_base_/sets/nwucla.py', '_base_/students/stt.py', '_base_/methods/latent-skeleton.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
