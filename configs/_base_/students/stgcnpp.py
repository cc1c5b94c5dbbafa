# mmaction2's ST-GCN++, (B, M, T, V, C) -> (B, M, 256, T / 4, V). The configs add a set's layout.
backbone_name = 'stgcnpp'
backbone = dict(
    type='mmact_ssl.SkeletonGraphNetwork',
    network=dict(type='mmaction.STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'),
    mode='spatial',
)
