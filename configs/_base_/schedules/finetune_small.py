# Fine-tuning, and training from scratch, on the small sets (our choice).
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20)
warmup = dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', begin=2, end=20, convert_to_iter_based=True)
param_scheduler = [warmup, cosine]
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=-1),
    logger=dict(type='LoggerHook', interval=20),
)
# With few labels the samples repeat, so an epoch is never shorter than this. A pre-trained
# backbone has a low rate: at the classifier's rate few clips would overwrite its weights.
finetune = dict(min_iters_per_epoch=8, pretrained_lr_mult=0.1)
