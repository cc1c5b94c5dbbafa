# UT-Kinect: odd against even subjects, few clips.
dataset_name = 'utkinect'
synthetic = False
prepare_command = (
    'python tools/prepare_data.py custom --source utkinect.npz --layout kinect20 '
    '--train-subjects 1 3 5 7 9 --out data/utkinect'
)
data_root = '{{$MMACT_SSL_DATA:data}}/utkinect'
num_classes = 10
bodies = dict(layout='kinect20', num_persons=1)
format_bodies = dict(type='mmaction.FormatGCNInput', num_person=1)
group_pattern = r's(\d+)_'  # the subject: the linear probe does not split its clips
few_clips = True  # smaller batches
pad = dict(type='PadFrames', num_frames=170)  # to the longest clip

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
