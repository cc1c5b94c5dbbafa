# mmaction2's ST-GCN++ of 24, 48 and 96 channels on joints and bones, for CPUs,
# (B, M, T, V, 6) -> (B, M, 96, T / 4, V), in space. Our choice.
_base_ = 'mmact_ssl::_base_/encoders/resampled-skeletons.py'

encoder = dict(
    name='stgcnpp-small',
    options=dict(frames=64),
    backbone=dict(
        type='mmact_ssl.SkeletonGraphNetwork',
        layout='$layout',
        network=dict(
            type='mmaction.STGCN',
            in_channels=6,
            base_channels=24,
            gcn_adaptive='init',
            gcn_with_res=True,
            tcn_type='mstcn',
        ),
        mode='spatial',
    ),
    channels=96,
    clip=[
        *_base_.encoder.clip[:-2],
        dict(type='mmact_ssl.BonesAndMotion', streams=('joint', 'bone')),
        *_base_.encoder.clip[-2:],
    ],
    finetune=dict(
        clip=[
            *_base_.encoder.finetune.clip[:-2],
            dict(type='mmact_ssl.BonesAndMotion', streams=('joint', 'bone')),
            *_base_.encoder.finetune.clip[-2:],
        ],
    ),
)
