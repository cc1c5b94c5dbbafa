# C2VL on NTU RGB+D 120, cross-subject.
_base_ = 'c2vl_stgcn_ntu60-xsub.py'

dataset_name = 'ntu120-xsub'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu120'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py ntu120 --source DIR',
)
train_pipeline = _base_.train_pipeline
train_pipeline[0].path = prompts
test_pipeline = _base_.test_pipeline
test_pipeline[0].path = prompts
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=test_pipeline, **folder)
)
