# HCPG on JHMDB (real RGB video), sized for two cores, under part maps drawn from poses; contrast in
# the batch.
_base_ = ['_base_/sets/jhmdb.py', '_base_/students/r3d18-small.py', '_base_/methods/hcpg-small.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
