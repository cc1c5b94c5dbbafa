# DTG-Net's second use on JHMDB: recognition and guidance trained together, end to end. Reads
# labels; train_dataloader.dataset.label_fraction=0.1 leaves a tenth of them, while guidance goes on
# with all videos. Without guidance (model.heads.guidance=None) it is plain supervised training.
_base_ = 'dtg_r3d_jhmdb.py'

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
                type='mmaction.I3DHead', in_channels=128, num_classes=21, dropout_ratio=0.3
            ),
        ),
        contrast=None,
    ),
)
