# The package's best recipe for skeletons on NW-UCLA (views 1 and 2): MS2L's contrast alone, between
# two augmented views and for joints, bones and motion each.
_base_ = [
    '_base_/models/ms2l-twoview_gru.py',
    '_base_/datasets/ms2l-twoview_skeleton.py',
    '_base_/schedules/ms2l-twoview.py',
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
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
