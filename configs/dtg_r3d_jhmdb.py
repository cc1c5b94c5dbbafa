# DTG-Net on JHMDB (real RGB video), sized for two cores, under an ImageNet classifier and MoveNet's
# poses.
_base_ = [
    '_base_/models/dtg_r3d18_small.py',
    '_base_/datasets/dtg_64.py',
    '_base_/schedules/dtg_small.py',
    '_base_/runtime/pretrain_small.py',
]

dataset_name = 'jhmdb'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'
folder = dict(
    data_prefix=dict(video=data_root),
    prepare_command='python tools/prepare_data.py jhmdb --source DIR',
)
targets = _base_.targets
for target in targets:
    target.path = f'{data_root}/targets/{target.path}'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        pipeline=[_base_.sample_views, *targets, *_base_.make_views],
        **folder,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        pipeline=[_base_.sample_test_views, *targets, *_base_.make_test_views],
        **folder,
    )
)
# Few videos are soon told apart by anything: what the teachers say counts more than which clips
# belong together. Chosen on videos held out of the training split.
model = dict(
    data_preprocessor=dict(targets=_base_.target_names),
    heads=dict(
        guidance=dict(
            teachers=_base_.teachers,
            contrast=0.2,
            agreement=5.0,
            weights=dict(type='FixedTeacherWeights', weights=dict(imagenet=4.0)),
        )
    ),
    balancer=dict(weights=dict(contrast=0.1)),
)
