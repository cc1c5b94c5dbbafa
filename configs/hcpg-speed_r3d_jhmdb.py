# HCPG and the recognition of the first clip's stride, together, on JHMDB (real RGB video).
_base_ = 'hcpg_r3d_jhmdb.py'

model = dict(
    heads=dict(speed=dict(type='SpeedHead', in_channels=128, strides=_base_.clip.stride)),
)
