# DTG-Net on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames.
_base_ = [
    '_base_/models/dtg_r3d18.py',
    '_base_/datasets/dtg_112.py',
    '_base_/schedules/pretrain_adamw.py',
    '_base_/runtime/pretrain.py',
]

data_root = '{{$MMACT_SSL_DATA:data}}/kinetics400'
targets = _base_.targets
for target in targets:
    target.path = f'{data_root}/targets/{target.path}'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/kinetics400_train_list_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos_train'),
        prepare_command='mim download mmaction2 --dataset kinetics400',
        pipeline=[_base_.sample_views, *targets, *_base_.make_views],
    )
)
model = dict(
    data_preprocessor=dict(targets=_base_.target_names),
    heads=dict(guidance=dict(teachers=_base_.teachers)),
)
