# DTG-Net's views for the small student: two clips of 8 frames at 64x64; and what its teachers, an
# ImageNet classifier and a pose network, say of them.
views = ('clip', 'clip_b')
# One entry a teacher: its cache, made by tools/extract_targets.py, and what TeacherGuidanceHead
# must know of it.
teachers = dict(
    imagenet=dict(
        cache=dict(path='efficientnet_lite0_imagenet.lmdb', kind='embedding'), channels=1280
    ),
    pose=dict(
        cache=dict(path='pose.lmdb', kind='pose', layout='coco17'), joints=17, deviation=True
    ),
)
# The configs that use this put the folder of the caches before their names.
targets = [
    dict(type='LoadTargetCache', target=name, views=views, **teacher.pop('cache'))
    for name, teacher in teachers.items()
]
target_names = [f'{view}_{name}' for view in views for name in ('valid', *teachers)]
clip = dict(num_frames=8, stride=2)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
]
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
make_views = [
    dict(type='DecodeViews', short_side=80),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    dict(type='PackPretextInputs', views=views),
]
sample_test_views = dict(type='SampleViews', clip=clip, clip_b=clip, test_mode=True)
make_test_views = [
    dict(type='DecodeViews', short_side=64),
    dict(
        type='TransformViews',
        views=views,
        transforms=[dict(type='mmaction.CenterCrop', crop_size=64)],
    ),
    dict(type='PackPretextInputs', views=views),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file=''),
)
# For tools/test.py: how often a clip finds its partner among videos that training never saw.
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PretextVideoDataset', ann_file='', test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
