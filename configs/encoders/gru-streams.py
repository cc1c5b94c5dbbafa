# Three small bidirectional GRUs for joints, bones and motion, two layers of 64 units a direction
# each, on clips of 32 frames. 0.4 M parameters, (B, M, T, V, 9) -> (B, 1, 768, 1, 1), mean and
# maximum over a clip's frames. Our choice.
_base_ = '../_base_/encoders/resampled-skeletons.py'

encoder = dict(
    name='gru-streams',
    backbone=dict(
        type='mmact_ssl.SkeletonStreams',
        num_streams=3,
        encoder=dict(
            type='mmact_ssl.SkeletonGRU',
            layout='$layout',
            num_persons='$persons',
            in_channels='$coordinates',
            hidden_size=64,
            pool='mean_max',
        ),
    ),
    channels=768,
    clip=[
        *_base_.encoder.clip[:-2],
        dict(type='mmact_ssl.BonesAndMotion', motion_scale=10),
        *_base_.encoder.clip[-2:],
    ],
    finetune=dict(
        clip=[
            *_base_.encoder.finetune.clip[:-2],
            dict(type='mmact_ssl.BonesAndMotion', motion_scale=10),
            *_base_.encoder.finetune.clip[-2:],
        ],
    ),
)
