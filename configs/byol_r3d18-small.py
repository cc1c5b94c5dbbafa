# BYOL on video, on the small R3D-18, by default on the demo world: your own (--data DIR), or --set
# jhmdb, utdmhad or another set. From random weights its task is hardly learned on these two.
_base_ = ['_base_/rivals/r3d18-small.py', '_base_/rivals/self-distillation.py']

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=_base_.byol.momentum),
    heads=dict(byol=dict(**_base_.byol, **_base_.head_sizes, views=_base_.views)),
)
