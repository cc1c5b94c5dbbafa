# DTG-Net's views of JHMDB (real video).
_base_ = 'dtg_64.py'

dataset_name = 'jhmdb'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'
folder = dict(
    data_prefix=dict(video=data_root),
    prepare_command='python tools/prepare_data.py jhmdb --source DIR',
)
train_dataloader = dict(dataset=dict(ann_file=f'{data_root}/train.txt', **folder))
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/test.txt', **folder))
