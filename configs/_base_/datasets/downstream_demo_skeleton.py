_base_ = 'downstream_skeleton_resampled.py'

dataset_name = 'demo-skeleton'
synthetic = True
prepare_command = (
    'python tools/prepare_data.py custom --source data/demo/skeletons.npz --layout ntu25 '
    '--out data/demo/skeleton --left-handed '
    '--train-subjects 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'
)
data_root = '{{$MMACT_SSL_DATA:data}}/demo/skeleton'

train_pipeline = _base_.train_pipeline
train_pipeline[1].num_frames = 32  # as in pre-training
folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
