# PKU-MMD II, cross-subject.
dataset_name = 'pkummd2'
prepare_command = 'mmact-ssl prepare pkummd2 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/pkummd2'
num_classes = 41
# The longest of NTU; longer clips are subsampled.
encoder_options = dict(layout='ntu25', persons=2, longest=300)
group_pattern = r'A(\d+)N'  # the subject: the linear probe does not split its clips

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
