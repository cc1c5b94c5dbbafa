# C2VL on a graph network: on your own skeletons (--data DIR), or --set ntu60-xsub, ntu60-xview,
# ntu120-xsub, ntu120-xset, pkummd1, pkummd2 or another set, with sentences released by the authors.
_base_ = ['encoders/stgcn.py', '_base_/methods/c2vl.py']

model = dict(backbone=_base_.encoder.backbone)
train_dataloader = dict(num_workers=4)
