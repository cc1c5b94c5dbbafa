# CSVR on the demo world (synthetic), with the poses of the small mmpose teacher trained on it.
_base_ = [
    '_base_/models/csvr_r3d18_small.py',
    '_base_/datasets/csvr_small.py',
    '_base_/schedules/csvr_small.py',
    '_base_/runtime/pretrain_small.py',
]

dataset_name = 'demo'
synthetic = True
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
prepare_command = 'python tools/prepare_data.py demo'
train_pipeline = _base_.train_pipeline
train_pipeline[0].keyframes.num_frames = 2
train_pipeline[1].path = f'{data_root}/targets/pose.lmdb'
val_pipeline = _base_.val_pipeline
val_pipeline[0].keyframes.num_frames = 2
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
optim_wrapper = dict(optimizer=dict(lr=2e-3))
# Places are drawn anew for each clip here: nothing about an action is to be learned from them.
model = dict(
    # Few frames to generate, so that two cores need minutes.
    heads=dict(video=dict(channels=16, frame_stride=4)),
    balancer=dict(weights=dict(context=0.05, video=0.1)),
)
train_cfg = dict(max_epochs=16)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=16, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=4))
