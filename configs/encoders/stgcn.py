# mmaction2's ST-GCN. It would read padding, so every clip has 64 frames. 3.1 M
# parameters, (B, M, T, V, C) -> (B, M, 256, T / 4, V).
_base_ = '../_base_/encoders/skeletons.py'

encoder = dict(
    name='stgcn',
    options=dict(frames=64),
    backbone=dict(
        type='mmact_ssl.SkeletonGraphNetwork',
        layout='$layout',
        network=dict(type='mmaction.STGCN', in_channels='$coordinates'),
        mode='stgcn_spatial',
    ),
    channels=256,
)
