# Two clips of 16 frames from anywhere in a video, at 112x112, each with its own crop, flip and
# colors.
_base_ = ['../methods/video.py', '../schedules/pretrain_adamw.py']

student = dict(in_channels=512)
views = ('clip', 'clip_b')
model = dict(
    data_preprocessor=dict(views=views),
    encode=views,
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
)
clip = dict(num_frames=16, stride=2)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    _base_.jitter,
]
make_clip = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
]
make_views = [*make_clip, dict(type='TransformViews', views=('clip_b',), transforms=augment)]
pack = dict(type='PackInputs', views=views)
train_dataloader = dict(dataset=dict(pipeline=[sample_views, *make_views, pack]))
