# Fine-tuning, and training from scratch, of the published GRU: Adam, learning rate 1e-3 for encoder
# and classifier alike, a tenth of it after half of the training, as in MS2L's released code. There
# it takes 9,000 steps with batches of 256; here steps and batch are for small sets (our choice).
_base_ = 'finetune_skeleton.py'

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='Adam', lr=1e-3), clip_grad=dict(max_norm=10)
)
train_cfg = dict(_delete_=True, type='mmact_ssl.StepsTrainLoop', max_iters=1500)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[750], gamma=0.1)]
finetune = dict(pretrained_lr_mult=1.0)
