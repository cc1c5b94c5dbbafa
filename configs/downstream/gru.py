# The GRU in mmaction2's recognizer of skeletons: the mean over a clip's frames, a linear layer.
_base_ = [
    '../_base_/students/gru.py',
    '../_base_/downstream/skeleton.py',
    '../_base_/schedules/finetune_skeleton.py',
]

model = dict(
    backbone=dict(_base_.backbone, pool='mean', **_base_.bodies),
    cls_head=dict(in_channels=600, dropout=0.0),
)
pipeline = [_base_.normalize, _base_.pad, _base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
# Fine-tuning, and training from scratch: Adam, learning rate 1e-3 for encoder and classifier alike,
# a tenth of it after half of the training, as in MS2L's released code, which takes 9,000 steps with
# batches of 256. Steps and batch size here are for small sets (our choice).
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=1e-3))
train_cfg = dict(_delete_=True, type='mmact_ssl.StepsTrainLoop', max_iters=1500)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[750], gamma=0.1)]
finetune = dict(pretrained_lr_mult=1.0)
