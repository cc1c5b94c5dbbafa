# DTG-Net beside supervised training, from ImageNet, on your own videos (--data DIR) or --set NAME:
# recognition of the clips with a label, guidance of all. Reads labels;
# train_dataloader.dataset.label_fraction=0.1 leaves a tenth of them.
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
# A classifier needs more steps than agreement with the teachers.
epochs = 12 * 675 // _base_.num_videos
rise = max(1, epochs // 20)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [
    dict(_base_.warmup, end=rise),
    dict(_base_.cosine, begin=rise, end=epochs),
]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
