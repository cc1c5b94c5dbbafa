# HCPG on UCF101, split 1: R3D-18, two clips of 16 frames at two speeds, contrasted with
# the keys of a momentum encoder in a queue.
_base_ = [
    '_base_/models/hcpg_r3d18.py',
    '_base_/datasets/hcpg_112.py',
    '_base_/schedules/pretrain_adamw.py',
    '_base_/runtime/pretrain.py',
]

data_root = '{{$MMACT_SSL_DATA:data}}/ucf101'
parts = _base_.parts
parts.path = f'{data_root}/targets/{parts.path}'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ucf101_train_split_1_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        prepare_command='follow mmaction2, tools/data/ucf101/README.md',
        pipeline=[_base_.sample_views, parts, *_base_.make_views],
    )
)
queue_size = 4_096
model = dict(
    encode=('clip',),
    momentum_encoder=dict(views=('clip_b',), momentum=0.999),
    heads=dict(appearance=dict(queue_size=queue_size), motion=dict(queue_size=queue_size)),
)
# How the tasks' gradients agree on the shared backbone, for tools/visualize.py conflict.
custom_hooks = [*_base_.custom_hooks, dict(type='GradientConflictHook', interval=200)]
