# Shared downstream settings of the small 3D students: clips of 8 frames at 64x64.
_base_ = ['r3d.py', '../schedules/finetune_small.py']

sample = dict(_base_.sample, clip_len=8)
sample_test = dict(_base_.sample_test, clip_len=8)
crop = dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0))
augment = [
    _base_.get('gentle_crop', crop),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    _base_.flip,
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 64)),
    dict(type='mmaction.CenterCrop', crop_size=64),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, *_base_.pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *_base_.pack]
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
# Some sets are fine-tuned longer, or at another rate.
epochs = _base_.get('finetune_epochs', 20)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=epochs)]
finetune = dict(pretrained_lr_mult=_base_.get('pretrained_lr_mult', 0.1))
