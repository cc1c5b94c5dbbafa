# The small transformer over joints in mmaction2's recognizer of skeletons.
_base_ = [
    '../_base_/students/stt.py',
    '../_base_/downstream/skeleton.py',
    '../_base_/schedules/finetune_streams.py',
]

model = dict(
    backbone=dict(
        _base_.backbone,
        layout=_base_.bodies.layout,
        in_channels=_base_.bodies.get('in_channels', 3),
    ),
    cls_head=dict(in_channels=128, dropout=0.5),
)
# As gru-streams.py: no augmentation of frozen features; fine-tuning crops, rotates, shears,
# mirrors.
resample = dict(type='mmact_ssl.ResampleFrames', num_frames=32)
augment = [
    dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='mmact_ssl.RandomRotation', degrees=30),
    dict(type='mmact_ssl.RandomShear', amplitude=0.3),
]
flip = [dict(type='mmact_ssl.SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
formatted = [_base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, *augment, *flip, *formatted]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, resample, *formatted]))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
