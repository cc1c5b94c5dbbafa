# CSVR on JHMDB (real RGB video) with MoveNet's poses, sized for two cores.
_base_ = [
    '_base_/models/csvr_r3d18_small.py',
    '_base_/datasets/csvr_small.py',
    '_base_/schedules/csvr_small.py',
    '_base_/runtime/pretrain_small.py',
]

dataset_name = 'jhmdb'
data_root = '{{$MMACT_SSL_DATA:data}}/jhmdb'
prepare_command = 'python tools/prepare_data.py jhmdb --source DIR'
train_pipeline = _base_.train_pipeline
train_pipeline[1].path = f'{data_root}/targets/pose.lmdb'
val_pipeline = _base_.val_pipeline
val_pipeline[1].path = f'{data_root}/targets/pose.lmdb'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        prepare_command=prepare_command,
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        data_prefix=dict(video=data_root),
        prepare_command=prepare_command,
        pipeline=val_pipeline,
    )
)
