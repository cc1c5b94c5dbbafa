# ViT-B in mmaction2's recognizer: clips of 16 frames at 224x224, the mean over its map, a linear
# layer.
_base_ = [
    '../_base_/students/vit-b.py',
    '../_base_/downstream/r3d-large.py',
    '../_base_/schedules/finetune_small.py',
]

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=768))
# Every fourth frame, unless its set gives another stride.
stride = dict(frame_interval=_base_.get('frame_interval', 4))
sample = dict(_base_.sample, **stride)
sample_test = dict(_base_.sample_test, **stride)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    _base_.flip,
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, *_base_.pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *_base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# Our choice: VideoMAE fine-tunes with layer-wise rates, mixup and repeated augmentation.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=75)
param_scheduler = [dict(_base_.warmup, end=5), dict(_base_.cosine, begin=5, end=75)]
finetune = dict(pretrained_lr_mult=0.5)
