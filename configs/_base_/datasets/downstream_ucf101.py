_base_ = 'downstream_112.py'

# Folders and lists as mmaction2's own preparation makes them; split 1 of 3.
dataset_name = 'ucf101'
synthetic = False
prepare_command = 'follow mmaction2, tools/data/ucf101/README.md'
data_root = '{{$MMACT_SSL_DATA:data}}/ucf101'

train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ucf101_train_split_1_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ucf101_val_split_1_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
    )
)
