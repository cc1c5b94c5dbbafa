# TSM's ResNet-50 in mmaction2's recognizer.
_base_ = [
    '../_base_/students/tsm-r50.py',
    '../_base_/downstream/frames.py',
    '../_base_/schedules/finetune_r3d18.py',
]

model = dict(
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSMHead', in_channels=2048, num_segments=8, dropout_ratio=0.5),
)
train_dataloader = dict(num_workers=8, persistent_workers=True)
test_dataloader = dict(num_workers=8)
