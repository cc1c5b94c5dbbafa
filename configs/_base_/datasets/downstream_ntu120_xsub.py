_base_ = 'downstream_skeleton_resampled.py'

dataset_name = 'ntu120-xsub'
synthetic = False
prepare_command = 'python tools/prepare_data.py ntu120 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu120'

train_pipeline = _base_.train_pipeline
train_pipeline[2].num_person = 2
folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
