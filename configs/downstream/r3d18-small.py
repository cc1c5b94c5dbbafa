# The small R3D-18 in mmaction2's recognizer: clips of 8 frames at 64x64.
_base_ = ['../_base_/students/r3d18-small.py', '../_base_/downstream/r3d-small.py']

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=128))
