# Three small bidirectional GRUs for joints, bones and motion, two layers of 64 units a
# direction each. 0.4 M parameters, (B, M, T, V, 9) -> (B, 1, 384, T, 1). Our choice. The
# configs add a set's layout and number of persons to the encoder of a stream.
backbone_name = 'gru-streams'
backbone = dict(type='mmact_ssl.SkeletonStreams', num_streams=3)
encoder = dict(type='mmact_ssl.SkeletonGRU', hidden_size=64)
