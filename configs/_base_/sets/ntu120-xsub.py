# NTU RGB+D 120, cross-subject.
dataset_name = 'ntu120-xsub'
prepare_command = 'mmact-ssl prepare ntu120 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu120'
num_classes = 120
encoder_options = dict(layout='ntu25', persons=2, longest=300)
group_pattern = r'P(\d+)R'  # the subject: the linear probe does not split its clips
frames = dict(key='videos/{}_rgb.avi')  # of a clip in the cache of the videos' frames

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
