# AdamW, learning rate 1e-3 after 5 epochs of warm-up, then a cosine to 0. Our choice.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=5),
)
train_cfg = dict(type='EpochTrainLoop', max_epochs=120)
warmup = dict(type='LinearLR', start_factor=0.1, begin=0, end=5, convert_to_iter_based=True)
cosine = dict(type='CosineAnnealingLR', begin=5, end=120, convert_to_iter_based=True)
param_scheduler = [warmup, cosine]
