# Recognition of the stride at which a clip was cut out of a video (pace prediction, arXiv
# 2008.05861), on EfficientNet-Lite0 with the temporal shift, from ImageNet: your own (--data
# DIR), or --set jhmdb or another set.
#
#     stride = random.choice(strides)
#     clip = augment(frames[start::stride][:8])
#     loss = cross_entropy(classify(student(clip)), stride)
#     optimizer.step()
#
# With the paper's linear classifier the features from ImageNet shrink.
_base_ = '_base_/tsm-lite0.py'

views = ('clip',)
strides = (1, 2, 4)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.speed', 'clip.valid')),
    encode=views,
    heads=dict(speed=dict(type='SpeedHead', in_channels=1280, strides=strides, hidden_dim=512)),
)
sample_views = dict(type='SampleViews', clip=dict(num_frames=8, stride=strides, segments=None))
pack = dict(type='PackInputs', views=views)
train_pipeline = [sample_views, *_base_.make_clip, pack]
test_pipeline = [sample_views, *_base_.make_test_clip, pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
