# The demo world (synthetic): a procedural body performs twelve actions.
dataset_name = 'demo'
synthetic = True
prepare_command = 'mmact-ssl prepare demo'
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
num_classes = 12
group_pattern = r'_s(\d+)_'  # the subject: the linear probe does not split its clips

folder = dict(data_prefix=dict(video=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/test.txt', **folder)
