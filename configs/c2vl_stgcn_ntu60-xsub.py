# C2VL on NTU RGB+D 60, cross-subject: 25 joints, two persons.
_base_ = [
    '_base_/models/c2vl_stgcn.py',
    '_base_/datasets/c2vl_skeleton_resampled.py',
    '_base_/schedules/ms2l-twoview.py',
    '_base_/runtime/pretrain_c2vl.py',
]

dataset_name = 'ntu60-xsub'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu60'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py ntu60 --source DIR',
)
model = dict(backbone=dict(layout='ntu25'))
train_pipeline = _base_.train_pipeline
train_pipeline[0].path = prompts
test_pipeline = _base_.test_pipeline
test_pipeline[0].path = prompts
train_dataloader = dict(
    num_workers=4,
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder),
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=test_pipeline, **folder)
)
