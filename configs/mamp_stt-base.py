# MAMP with its published sizes: --set ntu60-xsub, ntu60-xview or another set, or your own skeletons
# (--data DIR).
_base_ = ['encoders/stt-base.py', '_base_/methods/mamp.py']

model = dict(backbone=_base_.encoder.backbone)
