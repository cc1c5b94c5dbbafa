# NW-UCLA: views 1 and 2 of the camera against view 3.
dataset_name = 'nwucla'
prepare_command = 'mmact-ssl prepare nwucla --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
num_classes = 10
encoder_options = dict(layout='kinect20', persons=1, longest=201)
group_pattern = r'_s(\d+)_'  # the subject: the linear probe does not split its clips
# Two cameras saw each performance: a01_s01_e00_v01 and a01_s01_e00_v02.
performance_pattern = r'(.+)_v\d+$'
# Of MS2L as published, but for a CPU: 3,000 steps, 94 epochs, teach the order of nearly all clips.
ms2l_budget = dict(batch_size=32, num_workers=1, max_iters=3000, save_every=25)

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xview_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xview_test.txt', **folder)
