# mmaction2's ST-GCN++ of 24, 48 and 96 channels on joints and bones, for CPUs,
# (B, M, T, V, 6) -> (B, M, 96, T / 4, V). Our choice. The configs add a set's layout.
backbone_name = 'stgcnpp-small'
backbone = dict(
    type='mmact_ssl.SkeletonGraphNetwork',
    network=dict(
        type='mmaction.STGCN',
        in_channels=6,
        base_channels=24,
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
    ),
    mode='spatial',
)
