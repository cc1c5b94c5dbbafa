# mmaction2's ST-GCN. 3.1 M parameters, [B, M, T, V, C] -> [B, M, 256, T / 4, V].
model = dict(
    backbone=dict(
        type='mmact_ssl.SkeletonGraphNetwork',
        network=dict(type='mmaction.STGCN'),
        layout='kinect20',
        mode='stgcn_spatial',
    )
)
