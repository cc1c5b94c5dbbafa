_base_ = 'downstream_skeleton.py'

dataset_name = 'utkinect'
synthetic = False
prepare_command = (
    'python tools/prepare_data.py custom --source utkinect.npz --layout kinect20 '
    '--train-subjects 1 3 5 7 9 --out data/utkinect'
)
data_root = '{{$MMACT_SSL_DATA:data}}/utkinect'

train_pipeline = _base_.train_pipeline
train_pipeline[1].num_frames = 170
folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
