# Two clips of 16 frames from anywhere in a video, at 112x112, each with its own crop, flip and
# colors.
_base_ = ['../methods/video.py', '../schedules/pretrain_adamw.py']

head_sizes = dict(in_channels=512)
views = ('clip', 'clip_b')
model = dict(
    data_preprocessor=dict(views=views),
    encode=views,
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
)
clip = dict(num_frames=16, stride=2)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [*_base_.augment_112, _base_.jitter]
make_clip = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
]
make_views = [*make_clip, dict(type='TransformViews', views=('clip_b',), transforms=augment)]
pack = dict(type='PackInputs', views=views)
train_dataloader = dict(dataset=dict(pipeline=[sample_views, *make_views, pack]))
