# The skeletons of the demo world (synthetic); its videos are in sets/demo.py.
dataset_name = 'demo-skeleton'
synthetic = True
prepare_command = (
    'mmact-ssl prepare custom --source data/demo/skeletons.npz --layout ntu25 '
    '--coordinates xyz --out data/demo/skeleton --left-handed '
    '--train-subjects 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'
)
data_root = '{{$MMACT_SSL_DATA:data}}/demo/skeleton'
num_classes = 12
encoder_options = dict(layout='ntu25', persons=1, longest=48)
group_pattern = r'_s(\d+)_'  # the subject: the linear probe does not split its clips
# Of the videos, which have the names of the skeletons.
frames = dict(cache='{{$MMACT_SSL_DATA:data}}/demo/targets/efficientnet_lite0_imagenet.lmdb')

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
