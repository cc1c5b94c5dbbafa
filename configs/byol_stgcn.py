# BYOL on skeletons, on ST-GCN: --set ntu60-xsub, ntu60-xview, ntu120-xsub or ntu120-xset, or your
# own (--data DIR).
_base_ = ['_base_/rivals/stgcn.py', '_base_/rivals/self-distillation.py']

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=_base_.byol.momentum),
    heads=dict(byol=dict(**_base_.byol, **_base_.head_sizes, views=_base_.views)),
)
