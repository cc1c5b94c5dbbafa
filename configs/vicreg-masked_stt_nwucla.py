# VICReg between two augmented views and MAMP's masked motion on a third, together, on NW-UCLA
# (views 1 and 2).
_base_ = [
    '_base_/sets/nwucla.py',
    '_base_/students/stt.py',
    '_base_/methods/ms2l-masked.py',
    '_base_/rivals/redundancy.py',
]

vicreg = dict(**_base_.vicreg_small, in_channels=128, views=('one', 'two'))
model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout),
    heads=dict(vicreg=vicreg, contrast=None),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
