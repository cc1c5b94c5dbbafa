# DTG-Net on a 2D student: the feature of a clip is the mean over its frames.
_base_ = 'dtg.py'

model = dict(frame_wise=True)

# One frame from each of 8 equal parts of the video, at 224x224.
clip = dict(num_frames=8, segments=True)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    _base_.jitter,
]
make_views = [
    dict(type='DecodeViews', short_side=256),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
train_steps = [sample_views, *_base_.load_targets, *make_views]
train_dataloader = dict(dataset=dict(pipeline=[*train_steps, _base_.pack]))
