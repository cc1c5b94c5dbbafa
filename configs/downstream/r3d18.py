# R3D-18 in mmaction2's recognizer: clips of 16 frames at 112x112, as it is usually evaluated.
_base_ = [
    '../_base_/students/r3d18.py',
    '../_base_/downstream/r3d-large.py',
    '../_base_/schedules/finetune_small.py',
]

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=512))
# The released fine-tuning settings of the nearest relative, arXiv 2104.00862: 120 epochs of which
# 10 warm up, learning rate 1e-4 for all, weight decay 3e-3, dropout 0.3, gradient norm at most 15.
# The optimizer is our choice.
optim_wrapper = dict(optimizer=dict(lr=1e-4, weight_decay=3e-3), clip_grad=dict(max_norm=15))
train_cfg = dict(max_epochs=120)
param_scheduler = [dict(_base_.warmup, end=10), dict(_base_.cosine, begin=10, end=120)]
finetune = dict(pretrained_lr_mult=1.0)
