# DTG-Net's second use on the small R3D-18: recognition and guidance trained together, end to end,
# on --set jhmdb or another set. Reads labels; train_dataloader.dataset.label_fraction=0.1 leaves a
# tenth of them, while guidance still reads all videos. Without guidance (model.heads.guidance=None)
# it is supervised training.
_base_ = 'mmact_ssl::dtg_r3d18-small.py'

cls_head = dict(
    type='mmaction.I3DHead',
    in_channels=128,
    dropout_ratio=0.3,
    num_classes=_base_.num_classes,
)
model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(recognition=dict(type='RecognitionHead', cls_head=cls_head), contrast=None),
)
*train_steps, pack = _base_.train_pipeline
*test_steps, _ = _base_.test_pipeline
labeled = dict(pack, label=True)
train_dataloader = dict(dataset=dict(pipeline=[*train_steps, labeled]))
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, labeled]))
# On the demo world more epochs: with random backgrounds and clothes a classifier is at chance
# after 20.
epochs = 40 if _base_.dataset_name == 'demo' else 20
train_cfg = dict(max_epochs=epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=epochs)]
