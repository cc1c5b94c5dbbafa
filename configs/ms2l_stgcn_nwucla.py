# MS2L's tasks on mmaction2's ST-GCN, NW-UCLA (views 1 and 2).
_base_ = [
    '_base_/models/ms2l_stgcn.py',
    '_base_/datasets/ms2l_skeleton_resampled.py',
    '_base_/schedules/ms2l.py',
    '_base_/runtime/pretrain.py',
]

dataset_name = 'nwucla'
data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py nwucla --source DIR',
)
train_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xview_train.txt', **folder))
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xview_test.txt', **folder))
