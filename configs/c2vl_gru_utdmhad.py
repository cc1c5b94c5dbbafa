# C2VL on the skeletons of UTD-MHAD (odd subjects), with sentences from the joints' motion.
_base_ = 'c2vl_gru_nwucla.py'

dataset_name = 'utdmhad-skeleton'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py utdmhad --source DIR',
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
