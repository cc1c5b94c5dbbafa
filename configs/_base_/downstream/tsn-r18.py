# TSN's ResNet-18 in mmaction2's recognizer.
_base_ = ['../students/tsn-r18.py', 'frames.py']

model = dict(
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSNHead', in_channels=512, dropout_ratio=0.4),
)
