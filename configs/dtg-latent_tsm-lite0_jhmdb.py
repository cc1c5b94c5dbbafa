# DTG-Net and latent prediction together on JHMDB (real RGB video), on EfficientNet-Lite0 with the
# temporal shift, which starts from ImageNet.
_base_ = ['_base_/sets/jhmdb.py', '_base_/students/tsm-lite0.py', '_base_/methods/dtg-latent.py']

model = dict(backbone=_base_.backbone, data_preprocessor=_base_.normalization)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
