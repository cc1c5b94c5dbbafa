_base_ = 'downstream_64.py'

dataset_name = 'demo'
synthetic = True
prepare_command = 'python tools/prepare_data.py demo'
data_root = '{{$MMACT_SSL_DATA:data}}/demo'

train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/train.txt', data_prefix=dict(video=data_root))
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/test.txt', data_prefix=dict(video=data_root))
)
