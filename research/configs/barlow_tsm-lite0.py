# Barlow Twins on video, on EfficientNet-Lite0 with the temporal shift, from ImageNet: your own
# (--data DIR), or --set jhmdb or another set.
_base_ = ['_base_/tsm-lite0.py', 'mmact_ssl::_base_/rivals/redundancy.py']

model = dict(
    heads=dict(barlow=dict(**_base_.barlow, **_base_.head_sizes, views=_base_.views)),
)
