# The released fine-tuning settings of the nearest relative, arXiv 2104.00862: 120 epochs of which
# 10 warm up, learning rate 1e-4, weight decay 3e-3, dropout 0.3, gradient norm at most 15. The
# optimizer is our choice.
_base_ = 'finetune_small.py'

optim_wrapper = dict(optimizer=dict(lr=1e-4, weight_decay=3e-3), clip_grad=dict(max_norm=15))
train_cfg = dict(max_epochs=120)
param_scheduler = [dict(_base_.warmup, end=10), dict(_base_.cosine, begin=10, end=120)]
# As released: one rate for all.
finetune = dict(pretrained_lr_mult=1.0)
