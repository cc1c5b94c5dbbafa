# The demo world (synthetic): a procedural body performs twelve actions.
dataset_name = 'demo'
synthetic = True
prepare_command = 'python tools/prepare_data.py demo'
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
num_classes = 12
group_pattern = r'_s(\d+)_'  # of a subject, whose clips the linear probe keeps together

train_videos = dict(ann_file=f'{data_root}/train.txt', data_prefix=dict(video=data_root))
test_videos = dict(ann_file=f'{data_root}/test.txt', data_prefix=dict(video=data_root))
train_set = dict(train_videos, prepare_command=prepare_command)
test_set = dict(test_videos, prepare_command=prepare_command)
