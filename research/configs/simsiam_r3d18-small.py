# SimSiam on video, on the small R3D-18, by default on the demo world: your own (--data DIR), or
# --set jhmdb, utdmhad or another set.
_base_ = [
    'mmact_ssl::_base_/rivals/r3d18-small.py',
    'mmact_ssl::_base_/rivals/self-distillation.py',
]

model = dict(
    heads=dict(simsiam=dict(**_base_.simsiam, **_base_.head_sizes, views=_base_.views)),
)
