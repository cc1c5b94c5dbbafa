# Latent prediction on Kinetics-400 in mmaction2's layout, ViT-B.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/vit-b.py', '_base_/methods/latent.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
