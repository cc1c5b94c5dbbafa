# JHMDB: real RGB video.
dataset_name = 'jhmdb'
prepare_command = 'mmact-ssl prepare jhmdb --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'
num_classes = 21
# Clips of a source video have consecutive numbers, all in one split: the linear probe does not
# split a run of numbers in the training list.
group_pattern = r'([^/]+)_(\d+)\.mp4$'
one_standard_error = True  # the linear probe's choice of its penalty

folder = dict(data_prefix=dict(video=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/test.txt', **folder)
