# C2VL on NW-UCLA (views 1 and 2), with sentences from the joints' motion.
_base_ = [
    '_base_/models/c2vl_gru-streams.py',
    '_base_/datasets/c2vl_skeleton.py',
    '_base_/schedules/ms2l-twoview.py',
    '_base_/runtime/pretrain_c2vl.py',
]

dataset_name = 'nwucla'
data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py nwucla --source DIR',
)
train_pipeline = _base_.train_pipeline
train_pipeline[0].path = prompts
test_pipeline = _base_.test_pipeline
test_pipeline[0].path = prompts
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xview_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xview_test.txt', pipeline=test_pipeline, **folder)
)
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
