# Shared settings of all methods on video.
_base_ = '../runtime/pretrain.py'

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='PretextDataPreprocessor',
        # Of the encoder, as in evaluation.
        mean='$mean',
        std='$std',
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
# Random in each sample, also in its order, and the same for all frames of a view. mmaction2's
# ColorJitter has one random order for all samples; its hue=0.1 is a rotation of at most 0.14.
jitter = dict(
    type='mmaction.TorchVisionWrapper',
    op='ColorJitter',
    brightness=0.5,
    contrast=0.5,
    saturation=0.5,
    hue=0.14,
)
