# DTG-Net's second use on the demo world (synthetic): recognition and guidance trained together, end
# to end. Reads labels; train_dataloader.dataset.label_fraction=0.1 leaves a tenth of them, while
# guidance goes on with all videos. Without guidance (model.heads.guidance=None) it is plain
# supervised training.
_base_ = 'dtg_r3d_demo.py'

make_views = _base_.make_views
make_views[-1].label = True
make_test_views = _base_.make_test_views
make_test_views[-1].label = True
train_dataloader = dict(dataset=dict(pipeline=[_base_.sample_views, *_base_.targets, *make_views]))
test_dataloader = dict(
    dataset=dict(pipeline=[_base_.sample_test_views, *_base_.targets, *make_test_views])
)
model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'label']),
    heads=dict(
        recognition=dict(
            type='RecognitionHead',
            cls_head=dict(
                type='mmaction.I3DHead', in_channels=128, num_classes=12, dropout_ratio=0.3
            ),
        ),
        contrast=None,
    ),
)
# Longer: with backgrounds and clothes drawn at random, 20 epochs leave a classifier at chance.
max_epochs = 40
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=max_epochs, convert_to_iter_based=True),
]
