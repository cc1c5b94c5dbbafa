# Recognition of the stride at which a skeleton clip was cut out, on ST-GCN: --set ntu60-xsub,
# ntu60-xview, ntu120-xsub or ntu120-xset, or your own (--data DIR).
_base_ = '_base_/rivals/stgcn.py'

views = ('clip',)
strides = (1, 2, 3)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.speed',)),
    encode=views,
    heads=dict(speed=dict(type='SpeedHead', in_channels=256, strides=strides)),
)
# NTU's clips have 80 frames on average.
take = dict(type='RandomStride', strides=strides, num_frames=24)
augment = [take, _base_.normalize, *_base_.move, *_base_.flip]
make_views = dict(type='MakeSkeletonViews', views=dict(clip=augment))
pipeline = [make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
