# Kinetics-400 in mmaction2's layout, for pre-training.
dataset_name = 'kinetics400'
data_root = '{{$MMACT_SSL_DATA:data}}/kinetics400'
num_classes = 400

train_set = dict(
    ann_file=f'{data_root}/kinetics400_train_list_videos.txt',
    data_prefix=dict(video=f'{data_root}/videos_train'),
    prepare_command='mim download mmaction2 --dataset kinetics400',
)
