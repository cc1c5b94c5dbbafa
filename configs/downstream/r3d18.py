# R3D-18 in mmaction2's recognizer: clips of 16 frames at 112x112, as it is usually evaluated.
_base_ = [
    '../_base_/students/r3d18.py',
    '../_base_/downstream/r3d-large.py',
    '../_base_/schedules/finetune_r3d18.py',
]

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=512))
