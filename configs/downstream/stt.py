# The small transformer over joints in mmaction2's recognizer of skeletons.
_base_ = ['../_base_/students/stt.py', '../_base_/downstream/stt.py']

model = dict(backbone=dict(_base_.backbone, **_base_.joints), cls_head=dict(in_channels=128))
