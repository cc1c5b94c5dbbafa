# BYOL on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames at stride 2, the
# published sizes of the projector.
_base_ = [
    '_base_/sets/kinetics400.py',
    '_base_/students/r3d18.py',
    '_base_/rivals/clips.py',
    '_base_/rivals/self-distillation.py',
]

model = dict(
    backbone=_base_.backbone,
    momentum_encoder=dict(views=_base_.views, momentum=_base_.byol.momentum),
    heads=dict(byol=dict(**_base_.byol, **_base_.head_sizes, views=_base_.views)),
)
train_dataloader = dict(dataset=_base_.train_set)
