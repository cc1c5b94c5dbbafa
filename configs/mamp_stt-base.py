# MAMP with its published sizes: --set ntu60-xsub, ntu60-xview or another set, or your own skeletons
# (--data DIR).
_base_ = ['_base_/students/stt-base.py', '_base_/methods/mamp.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
