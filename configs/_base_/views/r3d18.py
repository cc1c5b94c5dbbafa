# Views of 112x112 for R3D-18, on the set of --set or the prepared folder of --data, by default on
# Kinetics-400.
_base_ = ['{{$MMACT_SSL_SET:../sets/kinetics400.py}}', '../../encoders/r3d18.py']

decode = dict(type='DecodeViews', short_side=128)
# Before the jitter of colors. Some sets have actions that differ in left and right.
pose_layout, pose_joints = _base_.get('pose_layout', 'coco17'), _base_.get('pose_joints', 17)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout=pose_layout, flip_ratio=_base_.get('flip_ratio', 0.5)),
]
# Small sets get more epochs.
epochs = _base_.get('pretrain_epochs', 120)
