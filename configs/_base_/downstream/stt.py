# Shared downstream settings of the transformers over joints: clips of 32 frames. As gru-streams.py:
# no augmentation of frozen features; fine-tuning crops, rotates, shears, mirrors.
_base_ = ['skeleton.py', '../schedules/finetune_streams.py']

joints = dict(layout=_base_.bodies.layout, in_channels=_base_.bodies.get('in_channels', 3))
model = dict(cls_head=dict(dropout=0.5))
resample = dict(type='mmact_ssl.ResampleFrames', num_frames=32)
crop = dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames=32)
move = [
    dict(type='mmact_ssl.RandomRotation', degrees=30),
    dict(type='mmact_ssl.RandomShear', amplitude=0.3),
]
move += [dict(type='mmact_ssl.SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
formatted = [_base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, crop, *move, *formatted]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, resample, *formatted]))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
