# UTD-MHAD's skeletons: odd against even subjects.
dataset_name = 'utdmhad-skeleton'
prepare_command = 'mmact-ssl prepare utdmhad --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
num_classes = 27
encoder_options = dict(layout='kinect20', persons=1, longest=125)
flip_ratio = 0.0  # swipes to the left and to the right are different actions: no flip
group_pattern = r'_s(\d+)_'  # the subject: the linear probe does not split its clips
# Of MS2L as published, but for a CPU.
ms2l_budget = dict(batch_size=32, num_workers=1, max_iters=3000, save_every=50)
frames = dict(key='videos/{}.mp4')  # of a clip in the cache of the videos' frames

folder = dict(data_prefix=dict(skeleton=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{data_root}/xsub_train.txt', **folder)
test_set = dict(ann_file=f'{data_root}/xsub_test.txt', **folder)
