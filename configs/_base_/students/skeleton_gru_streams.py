# A small bidirectional GRU, two layers of 128 units a direction, that reads joints, bones and
# motion side by side. 0.5 M parameters, [B, M, T, V, 9] -> [B, 1, 256, T, 1]. Our choice.
_base_ = 'skeleton_gru.py'

model = dict(backbone=dict(in_channels=9, hidden_size=128))
