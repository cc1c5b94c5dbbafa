# MS2L's encoder: a bidirectional GRU of two layers, 300 units a direction. 2.3 M parameters,
# (B, M, T, V, C) -> (B, 1, 600, T, 1). The configs add a set's layout and number of persons.
backbone_name = 'gru'
backbone = dict(type='mmact_ssl.SkeletonGRU')
