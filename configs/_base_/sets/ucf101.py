# UCF101: folders and lists of mmaction2's own preparation, split 1 of 3.
dataset_name = 'ucf101'
prepare_command = 'follow mmaction2, tools/data/ucf101/README.md'
data_root = '{{$MMACT_SSL_DATA:data}}/ucf101'
num_classes = 101
group_pattern = r'_g(\d+)_'  # the source video: the linear probe does not split its clips
one_standard_error = True  # the linear probe's choice of its penalty
pretrain_epochs = 300  # of R3D-18
queue_size = 4_096  # of HCPG's keys

folder = dict(data_prefix=dict(video=f'{data_root}/videos'), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/ucf101_train_split_1_videos.txt', **folder)
test_set = dict(ann_file=f'{data_root}/ucf101_val_split_1_videos.txt', **folder)
