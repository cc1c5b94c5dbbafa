# DTG-Net on the demo world (synthetic), under the same kinds of teachers; the poses are those of
# the small mmpose teacher that was trained on it.
_base_ = 'dtg_r3d_jhmdb.py'

dataset_name = 'demo'
synthetic = True
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
folder = dict(
    data_prefix=dict(video=data_root), prepare_command='python tools/prepare_data.py demo'
)
targets = _base_.targets
for target in targets:
    target.path = target.path.replace(_base_.data_root, data_root)
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
