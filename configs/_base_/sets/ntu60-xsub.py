# NTU RGB+D 60, cross-subject.
dataset_name = 'ntu60-xsub'
synthetic = False
prepare_command = 'python tools/prepare_data.py ntu60 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/ntu60'
num_classes = 60
bodies = dict(layout='ntu25', num_persons=2)
format_bodies = dict(type='mmaction.FormatGCNInput', num_person=2)
group_pattern = r'P(\d+)R'  # the subject: the linear probe does not split its clips
frames = dict(key='videos/{}_rgb.avi')  # of a clip in the cache of the videos' frames
pad = dict(type='PadFrames', num_frames=300)  # to the longest clip

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
