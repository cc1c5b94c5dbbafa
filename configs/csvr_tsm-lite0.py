# CSVR on your own videos (--data DIR), on EfficientNet-Lite0 with the temporal shift, which starts
# from ImageNet.
_base_ = ['_base_/sets/folder.py', '_base_/students/tsm-lite0.py', '_base_/methods/csvr-tsm.py']

model = dict(backbone=_base_.backbone, data_preprocessor=_base_.normalization)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
# A smaller set gets as many steps as JHMDB's 675 clips, a larger one as many epochs.
base_epochs = _base_.train_cfg.max_epochs
epochs = max(base_epochs, base_epochs * 675 // _base_.own_folder.num_train)
train_cfg = dict(max_epochs=epochs)
rise = max(1, epochs // 20)  # a warm-up of one epoch would be too short in epochs of one step
warmup = dict(_base_.warmup, end=rise)
param_scheduler = [warmup, dict(_base_.cosine, begin=rise, end=epochs)]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
