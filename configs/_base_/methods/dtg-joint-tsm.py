# DTG-Net's second use on a 2D student that starts from ImageNet, as in dtg-joint-small.py.
_base_ = 'dtg-tsm.py'

model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(
        recognition=dict(
            type='RecognitionHead',
            cls_head=dict(type='mmaction.TSNHead', in_channels=1280, dropout_ratio=0.3),
        ),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, dict(_base_.pack, label=True)]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, dict(_base_.pack, label=True)]))
