# Two clips of a video, each with its own crop, flip and colors; without the grayscale and blur of
# the publications (our choice).
_base_ = ['../methods/video.py', '../schedules/pretrain_adamw.py']

views = ('clip', 'clip_b')
model = dict(
    data_preprocessor=dict(views=views),
    encode=views,
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
)
pack = dict(type='PackInputs', views=views)
