# AdamW with warm-up and cosine. Our choice.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5),
)
train_cfg = dict(type='EpochTrainLoop', max_epochs=120)
warmup = dict(type='LinearLR', start_factor=0.01, begin=0, end=5, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', begin=5, end=120, convert_to_iter_based=True)
param_scheduler = [warmup, cosine]
# 8 GPUs of 32 samples; on others `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=256)
