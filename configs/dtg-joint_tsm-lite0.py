# DTG-Net beside supervised training on your own videos (--data DIR), or --set jhmdb or another set,
# on EfficientNet-Lite0 with the temporal shift, from ImageNet: recognition of the clips with a
# label, guidance of all. Reads labels; train_dataloader.dataset.label_fraction=0.1 leaves a tenth
# of them. Without guidance (model.heads.guidance=None model.heads.frames=None) it is supervised
# training.
_base_ = 'dtg_tsm-lite0.py'

cls_head = dict(
    type='mmaction.TSNHead',
    in_channels=1280,
    dropout_ratio=0.3,
    num_classes=_base_.num_classes,
)
model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(recognition=dict(type='RecognitionHead', cls_head=cls_head)),
)
pack = dict(_base_.pack, label=True)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, pack]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, pack]))
# A classifier needs more steps than agreement with the teachers. It reads one clip of a video an
# epoch, in total fewer than fine-tuning in its 20 epochs.
epochs = 12 * 675 // _base_.num_videos
rise = max(1, epochs // 20)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [
    dict(_base_.warmup, end=rise),
    dict(_base_.cosine, begin=rise, end=epochs),
]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
