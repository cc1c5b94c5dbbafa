# Latent prediction on JHMDB (real RGB video), sized for two cores.
_base_ = ['_base_/sets/jhmdb.py', '_base_/students/vit-tiny.py', '_base_/methods/latent-small.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
