# MS2L's encoder: a bidirectional GRU of two layers, 300 units a direction. 2.3 M parameters,
# [B, M, T, V, C] -> [B, 1, 600, T, 1]. A set's own file names the layout and the persons.
model = dict(backbone=dict(type='mmact_ssl.SkeletonGRU', layout='kinect20', num_persons=1))
