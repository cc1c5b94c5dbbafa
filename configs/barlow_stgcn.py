# Barlow Twins on skeletons, on ST-GCN: --set ntu60-xsub, ntu60-xview, ntu120-xsub or ntu120-xset,
# or your own (--data DIR).
_base_ = ['_base_/rivals/stgcn.py', '_base_/rivals/redundancy.py']

model = dict(
    heads=dict(barlow=dict(**_base_.barlow, **_base_.head_sizes, views=_base_.views)),
)
