# The small vision transformer in mmaction2's recognizer: the mean over its map, a linear layer.
_base_ = ['../_base_/students/vit-tiny.py', '../_base_/downstream/r3d-small.py']

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=192))
