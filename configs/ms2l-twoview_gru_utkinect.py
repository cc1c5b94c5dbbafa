# Contrast between two augmented views on UT-Kinect (odd subjects), whose clips are few.
_base_ = 'ms2l-twoview_gru_nwucla.py'

dataset_name = 'utkinect'
data_root = '{{$MMACT_SSL_DATA:data}}/utkinect'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command=(
        'python tools/prepare_data.py custom --source utkinect.npz --layout kinect20 '
        '--train-subjects 1 3 5 7 9 --out data/utkinect'
    ),
)
train_dataloader = dict(
    batch_size=64, dataset=dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
)
test_dataloader = dict(dataset=dict(ann_file=f'{data_root}/xsub_test.txt', **folder))
