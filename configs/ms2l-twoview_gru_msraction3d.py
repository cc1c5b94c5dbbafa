# Contrast between two augmented views on MSR-Action3D (odd subjects), whose clips are few.
_base_ = 'ms2l-twoview_gru_nwucla.py'

dataset_name = 'msraction3d'
data_root = '{{$MMACT_SSL_DATA:data}}/msr_action3d'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command=(
        'python tools/prepare_data.py custom --source msr_action3d.npz --layout kinect20 '
        '--train-subjects 1 3 5 7 9 --out data/msr_action3d'
    ),
)
train_dataloader = dict(
    batch_size=64, dataset=dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
)
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xsub_test.txt', **folder))
