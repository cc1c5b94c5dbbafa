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
# A classifier needs more steps than agreement with the teachers.
# It reads one clip of a video an epoch, in total fewer than fine-tuning in its 20 epochs.
train_cfg = dict(max_epochs=12)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=12)]
