# DTG-Net's views of the demo world (synthetic).
_base_ = 'dtg_64.py'

dataset_name = 'demo'
synthetic = True
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
folder = dict(
    data_prefix=dict(video=data_root), prepare_command='python tools/prepare_data.py demo'
)
train_dataloader = dict(dataset=dict(ann_file=f'{data_root}/train.txt', **folder))
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/test.txt', **folder))
