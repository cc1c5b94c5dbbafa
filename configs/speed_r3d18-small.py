# Recognition of the stride at which a clip was cut out of a video (pace prediction, arXiv
# 2008.05861), on the small R3D-18, by default on the demo world: your own (--data DIR), or --set
# jhmdb, utdmhad or another set of videos.
#
#     stride = random.choice(strides)
#     clip = augment(frames[start::stride][:8])
#     loss = cross_entropy(classify(student(clip)), stride)
#     optimizer.step()
_base_ = '_base_/rivals/r3d18-small.py'

views = ('clip',)
strides = (1, 2, 4)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.speed', 'clip.valid')),
    encode=views,
    heads=dict(speed=dict(type='SpeedHead', in_channels=128, strides=strides)),
)
sample_views = dict(type='SampleViews', clip=dict(num_frames='$frames', stride=strides))
pack = dict(type='PackInputs', views=views)
train_pipeline = [sample_views, *_base_.make_clip, pack]
test_pipeline = [sample_views, *_base_.make_test_clip, pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
