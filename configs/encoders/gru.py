# MS2L's encoder: a bidirectional GRU of two layers, 300 units a direction, over whole clips. 2.3 M
# parameters, (B, M, T, V, C) -> (B, 1, 600, 1, 1), the mean over a clip's frames.
_base_ = '../_base_/encoders/skeletons.py'

encoder = dict(
    name='gru',
    options=dict(longest=300),  # frames; longer clips are subsampled
    backbone=dict(
        type='mmact_ssl.SkeletonGRU',
        layout='$layout',
        num_persons='$persons',
        in_channels='$coordinates',
        pool='mean',
    ),
    channels=600,
    clip=[
        dict(type='mmact_ssl.NormalizeSkeleton'),
        dict(type='mmact_ssl.PadFrames', num_frames='$longest'),
        dict(type='mmaction.FormatGCNInput', num_person='$persons'),
        dict(type='mmaction.PackActionInputs'),
    ],
    # Adam, learning rate 1e-3 for encoder and classifier alike, a tenth of it after half of the
    # training, as in MS2L's released code, which takes 9,000 steps with batches of 256. Steps and
    # batch size here are for small sets (our choice).
    finetune=dict(
        optim_wrapper=dict(optimizer=dict(_delete_=True, type='Adam', lr=1e-3)),
        train_cfg=dict(_delete_=True, type='mmact_ssl.StepsTrainLoop', max_iters=1500),
        param_scheduler=[dict(type='MultiStepLR', by_epoch=False, milestones=[750], gamma=0.1)],
        pretrained_lr_mult=1.0,
    ),
)
