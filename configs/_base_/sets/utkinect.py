# UT-Kinect: odd against even subjects, few clips.
dataset_name = 'utkinect'
prepare_command = (
    'mmact-ssl prepare custom --source utkinect.npz --layout kinect20 '
    '--coordinates xyz --train-subjects 1 3 5 7 9 --out data/utkinect'
)
data_root = '{{$MMACT_SSL_DATA:data}}/utkinect'
num_classes = 10
encoder_options = dict(layout='kinect20', persons=1, longest=170)
group_pattern = r's(\d+)_'  # the subject: the linear probe does not split its clips
few_clips = True  # smaller batches

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
