# DTG-Net's views for R3D-18: two clips of 16 frames from anywhere in a video, at 112x112, each cut,
# mirrored and colored in its own way; and what three teachers say of them: an ImageNet
# classifier, an image-based action recognizer and a pose network's backbone, see teachers/.
views = ('clip', 'clip_b')
# One entry a teacher: its cache, made by tools/extract_targets.py, and what TeacherGuidanceHead
# must know of it.
teachers = dict(
    imagenet=dict(cache=dict(path='resnet50_imagenet.lmdb', kind='embedding'), channels=2048),
    action=dict(cache=dict(path='tsn-r50_k400.lmdb', kind='embedding'), channels=2048),
    pose=dict(
        cache=dict(path='hrnet-w32_coco_backbone.lmdb', kind='embedding'),
        channels=32,
        deviation=True,
    ),
)
# The configs that use this put the folder of the caches before their names.
targets = [
    dict(type='LoadTargetCache', target=name, views=views, **teacher.pop('cache'))
    for name, teacher in teachers.items()
]
target_names = [f'{view}_{name}' for view in views for name in ('valid', *teachers)]
clip = dict(num_frames=16, stride=2)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    dict(type='mmaction.ColorJitter'),
]
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    dict(type='PackPretextInputs', views=views),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file=''),
)
