_base_ = 'downstream_skeleton.py'

dataset_name = 'utdmhad-skeleton'
synthetic = False
prepare_command = 'python tools/prepare_data.py utdmhad --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'

train_pipeline = _base_.train_pipeline
train_pipeline[1].num_frames = 125
folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
