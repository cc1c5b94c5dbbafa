_base_ = 'downstream_skeleton.py'

dataset_name = 'msraction3d'
synthetic = False
prepare_command = (
    'python tools/prepare_data.py custom --source msr_action3d.npz --layout kinect20 '
    '--train-subjects 1 3 5 7 9 --out data/msr_action3d'
)
data_root = '{{$MMACT_SSL_DATA:data}}/msr_action3d'

train_pipeline = _base_.train_pipeline
train_pipeline[1].num_frames = 76
folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
