# Something-Something v2: real video, 174 actions; the official validation split is the test split.
dataset_name = 'sthv2'
prepare_command = 'mmact-ssl prepare sthv2 --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/sthv2'
num_classes = 174
# No group_pattern: each video is a separate recording, and its name does not give the person.
one_standard_error = True  # the linear probe's choice of its penalty

folder = dict(data_prefix=dict(video=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/test.txt', **folder)
# Some actions differ only in left and right: no flip.
flip_ratio = 0.0
strides = (2, 1)  # of clips of 16 frames and the 16 after them: many videos are short
