# What all methods on video share.
_base_ = '../runtime/pretrain.py'

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='PretextDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
)
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset'),
)
