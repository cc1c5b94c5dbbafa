# MS2L on NTU RGB+D 60, cross-subject: 25 joints, two persons.
_base_ = 'ms2l_gru_nwucla.py'

dataset_name = 'ntu60-xsub'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu60'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py ntu60 --source DIR',
)
bodies = dict(layout='ntu25', num_persons=2)
model = dict(backbone=bodies, heads=dict(motion=bodies))
train_dataloader = dict(
    num_workers=4, dataset=dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
)
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xsub_test.txt', **folder))
default_hooks = dict(logger=dict(interval=50))
