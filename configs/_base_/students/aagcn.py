# mmaction2's AAGCN, (B, M, T, V, C) -> (B, M, 256, T / 4, V). The configs add a set's layout and
# number of persons.
backbone_name = 'aagcn'
backbone = dict(
    type='mmact_ssl.SkeletonGraphNetwork', network=dict(type='mmaction.AAGCN'), mode='spatial'
)
