# TSN's ResNet-18 in mmaction2's recognizer.
_base_ = [
    '../_base_/students/tsn-r18.py',
    '../_base_/downstream/frames.py',
    '../_base_/schedules/finetune_r3d18.py',
]

model = dict(
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSNHead', in_channels=512, dropout_ratio=0.4),
)
train_dataloader = dict(num_workers=8, persistent_workers=True)
test_dataloader = dict(num_workers=8)
