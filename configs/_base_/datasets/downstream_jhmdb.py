_base_ = 'downstream_64.py'

dataset_name = 'jhmdb'
synthetic = False
prepare_command = 'python tools/prepare_data.py jhmdb --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'

train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/train.txt', data_prefix=dict(video=data_root))
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/test.txt', data_prefix=dict(video=data_root))
)
