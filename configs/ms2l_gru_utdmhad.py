# MS2L on the skeletons of UTD-MHAD (odd subjects) with the published hyper-parameters.
_base_ = 'ms2l_gru_nwucla.py'

dataset_name = 'utdmhad-skeleton'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py utdmhad --source DIR',
)
train_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xsub_train.txt', **folder))
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xsub_test.txt', **folder))
