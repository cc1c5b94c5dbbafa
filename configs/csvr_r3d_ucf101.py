# CSVR on the first training split of UCF101 in mmaction2's layout: R3D-18, 16 frames at stride 2.
_base_ = [
    '_base_/models/csvr_r3d18.py',
    '_base_/datasets/csvr_112.py',
    '_base_/schedules/csvr_adamw.py',
    '_base_/runtime/pretrain.py',
]

data_root = '{{$MMACT_SSL_DATA:data}}/ucf101'
train_pipeline = _base_.train_pipeline
train_pipeline[1].path = f'{data_root}/targets/pose.lmdb'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ucf101_train_split_1_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        prepare_command='bash tools/data/ucf101/download_videos.sh (in mmaction2)',
        pipeline=train_pipeline,
    )
)
train_cfg = dict(max_epochs=300)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, end=300, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
