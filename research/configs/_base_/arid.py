# ARID: real RGB video in the dark, few clips; its own split.
dataset_name = 'arid'
synthetic = False
prepare_command = 'python research/parts/arid.py SOURCE data/arid'
data_root = '{{$MMACT_SSL_DATA:data}}/arid'
num_classes = 6
# The group of a clip in the set, such as 11 in Jump_11_1: the linear probe does not split it.
group_pattern = r'_(\d+)_\d+\.mp4$'
one_standard_error = True  # the linear probe's choice of its penalty

folder = dict(data_prefix=dict(video=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/test.txt', **folder)
