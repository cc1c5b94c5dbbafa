# PKU-MMD I, cross-subject.
dataset_name = 'pkummd1'
prepare_command = 'mmact-ssl prepare pkummd1 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/pkummd1'
num_classes = 51
# The longest of NTU; longer clips are subsampled.
encoder_options = dict(layout='ntu25', persons=2, longest=300)
# The recording: the linear probe does not split its clips. Names do not give the subject.
group_pattern = r'^(\d+)-'

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
