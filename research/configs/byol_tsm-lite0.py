# BYOL on video, on EfficientNet-Lite0 with the temporal shift, from ImageNet: your own (--data
# DIR), or --set jhmdb or another set.
_base_ = ['_base_/tsm-lite0.py', 'mmact_ssl::_base_/rivals/self-distillation.py']

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=_base_.byol.momentum),
    heads=dict(byol=dict(**_base_.byol, **_base_.head_sizes, views=_base_.views)),
)
