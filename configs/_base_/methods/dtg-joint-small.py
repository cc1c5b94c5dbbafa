# DTG-Net's second use on the small student: recognition and guidance trained together, end to end.
# Reads labels; train_dataloader.dataset.label_fraction=0.1 leaves a tenth of them, while guidance
# still reads all videos. Without guidance (model.heads.guidance=None) it is supervised training.
_base_ = 'dtg-small.py'

model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(
        recognition=dict(
            type='RecognitionHead',
            cls_head=dict(type='mmaction.I3DHead', in_channels=128, dropout_ratio=0.3),
        ),
        contrast=None,
    ),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, dict(_base_.pack, label=True)]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, dict(_base_.pack, label=True)]))
