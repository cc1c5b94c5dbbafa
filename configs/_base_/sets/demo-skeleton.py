# The skeletons of the demo world (synthetic); its videos are in sets/demo.py.
dataset_name = 'demo-skeleton'
synthetic = True
prepare_command = (
    'python tools/prepare_data.py custom --source data/demo/skeletons.npz --layout ntu25 '
    '--out data/demo/skeleton --left-handed '
    '--train-subjects 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'
)
data_root = '{{$MMACT_SSL_DATA:data}}/demo/skeleton'
num_classes = 12
bodies = dict(layout='ntu25', num_persons=1)
format_bodies = dict(type='mmaction.FormatGCNInput', num_person=1)
group_pattern = r'_s(\d+)_'  # the subject: the linear probe does not split its clips
pad = dict(type='PadFrames', num_frames=48)  # to the longest clip
clip_frames = 32  # of graph networks, as in pre-training
# Of the videos, which have the names of the skeletons.
frames = dict(cache='{{$MMACT_SSL_DATA:data}}/demo/targets/efficientnet_lite0_imagenet.lmdb')

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
