# UTD-MHAD: real depth video, odd against even subjects.
dataset_name = 'utdmhad'
synthetic = False
prepare_command = 'python tools/prepare_data.py utdmhad --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad'
num_classes = 27
group_pattern = r'_s(\d+)_'  # of a subject, whose clips the linear probe keeps together

train_videos = dict(ann_file=f'{data_root}/train.txt', data_prefix=dict(video=data_root))
test_videos = dict(ann_file=f'{data_root}/test.txt', data_prefix=dict(video=data_root))
train_set = dict(train_videos, prepare_command=prepare_command)
test_set = dict(test_videos, prepare_command=prepare_command)

# The camera stands still: crops that move the person far would drown how the arms move. Some
# actions differ only in left and right: no flip.
gentle_crop = dict(
    type='mmaction.RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1)
)
no_flip = dict(type='HorizontalFlip', layout='kinect20', flip_ratio=0.0)
