# DINO on video, on the small R3D-18, by default on the demo world: your own (--data DIR), or --set
# jhmdb, utdmhad or another set.
_base_ = [
    'mmact_ssl::_base_/rivals/r3d18-small.py',
    'mmact_ssl::_base_/rivals/self-distillation.py',
]

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=_base_.dino.momentum),
    heads=dict(dino=dict(**_base_.dino, **_base_.head_sizes, views=_base_.views)),
)
