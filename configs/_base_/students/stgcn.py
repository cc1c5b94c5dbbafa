# mmaction2's ST-GCN. 3.1 M parameters, (B, M, T, V, C) -> (B, M, 256, T / 4, V). The configs add a
# set's layout.
backbone_name = 'stgcn'
backbone = dict(
    type='mmact_ssl.SkeletonGraphNetwork',
    network=dict(type='mmaction.STGCN'),
    mode='stgcn_spatial',
)
