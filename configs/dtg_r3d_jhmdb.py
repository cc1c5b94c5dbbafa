# DTG-Net on JHMDB (real RGB video), sized for two cores, under an ImageNet classifier and MoveNet's
# poses.
_base_ = [
    '_base_/students/r3d18_small.py',
    '_base_/models/dtg.py',
    '_base_/datasets/dtg_jhmdb.py',
    '_base_/schedules/pretrain_small.py',
    '_base_/runtime/pretrain_small.py',
]

backbone_name = 'r3d18-small'
views = ('clip', 'other')
cache = dict(type='LoadTargetCache', views=views)
targets = [
    dict(
        **cache,
        path=f'{_base_.data_root}/targets/efficientnet_lite0_imagenet.lmdb',
        target='imagenet',
        kind='embedding',
    ),
    dict(**cache, path=f'{_base_.data_root}/targets/pose.lmdb', target='pose', layout='coco17'),
]
train_dataloader = dict(
    dataset=dict(pipeline=[_base_.sample_views, *targets, *_base_.make_views])
)
test_dataloader = dict(
    dataset=dict(pipeline=[_base_.sample_test_views, *targets, *_base_.make_test_views])
)
names = [f'{view}_{name}' for view in views for name in ('valid', 'imagenet', 'pose')]
model = dict(
    data_preprocessor=dict(targets=names),
    heads=dict(
        guidance=dict(
            in_channels=128,
            teachers=dict(
                imagenet=dict(channels=1280),
                # x, y and score of 17 joints, their mean and deviation over the clip.
                pose=dict(channels=51, deviation=True),
            ),
        ),
        contrast=dict(in_channels=128),
    ),
)
