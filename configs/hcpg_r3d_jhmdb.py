# HCPG on JHMDB (real RGB video), sized for two cores, under a network that tells the person from
# the background; contrast in the batch.
_base_ = [
    '_base_/models/hcpg_r3d18_small.py',
    '_base_/datasets/hcpg_64.py',
    '_base_/schedules/dtg_small.py',
    '_base_/runtime/pretrain_small.py',
]

dataset_name = 'jhmdb'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'
folder = dict(
    data_prefix=dict(video=data_root),
    prepare_command='python tools/prepare_data.py jhmdb --source DIR',
)
parts = _base_.parts
parts.path = f'{data_root}/targets/{parts.path}'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        pipeline=[_base_.sample_views, parts, *_base_.make_views],
        **folder,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        pipeline=[_base_.sample_test_views, parts, *_base_.make_test_views],
        **folder,
    )
)
# How the tasks' gradients agree on the shared backbone, for tools/visualize.py conflict.
custom_hooks = [*_base_.custom_hooks, dict(type='GradientConflictHook', interval=20)]
# And over so many training batches afterwards, in the mean, for tools/test.py --out.
conflict_batches = 84
