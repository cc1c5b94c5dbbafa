# SimSiam on skeletons, on GRUs over joints, bones and motion: your own (--data DIR), or --set
# nwucla, utdmhad-skeleton or another set of skeletons.
_base_ = ['_base_/rivals/gru.py', '_base_/rivals/self-distillation.py']

model = dict(
    heads=dict(simsiam=dict(**_base_.simsiam, **_base_.head_sizes, views=_base_.views)),
)
