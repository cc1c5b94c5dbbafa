# DTG-Net's second use on UCF101, split 1: TSN's ResNet-18 is trained on the labels and by guidance
# together, end to end.
_base_ = [
    '_base_/models/dtg_tsn-r18.py',
    '_base_/datasets/dtg_224.py',
    '_base_/schedules/pretrain_adamw.py',
    '_base_/runtime/pretrain.py',
]

data_root = '{{$MMACT_SSL_DATA:data}}/ucf101'
targets = _base_.targets
for target in targets:
    target.path = f'{data_root}/targets/{target.path}'
make_views = _base_.make_views
make_views[-1].label = True
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ucf101_train_split_1_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        prepare_command='follow mmaction2, tools/data/ucf101/README.md',
        pipeline=[_base_.sample_views, *targets, *make_views],
    )
)
model = dict(
    data_preprocessor=dict(targets=[*_base_.target_names, 'label']),
    heads=dict(
        guidance=dict(teachers=_base_.teachers),
        recognition=dict(
            type='RecognitionHead',
            cls_head=dict(
                type='mmaction.TSNHead', in_channels=512, num_classes=101, dropout_ratio=0.4
            ),
        ),
        contrast=None,
    ),
)
