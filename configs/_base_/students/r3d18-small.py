# R3D-18 cut down for two cores: a quarter of the width, a pooled stem, no stride in the last stage.
# 2.1 M parameters, (B, 3, 8, 64, 64) -> (B, 128, 1, 4, 4). Our choice.
_base_ = 'r3d18.py'

backbone_name = 'r3d18-small'
backbone = dict(base_channels=16, with_pool1=True, spatial_strides=(1, 2, 2, 1))
