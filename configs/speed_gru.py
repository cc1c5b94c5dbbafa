# Recognition of the stride at which a skeleton clip was cut out, on GRUs over joints, bones and
# motion: your own (--data DIR), or --set nwucla, utdmhad-skeleton or another set of skeletons.
#
#     stride = random.choice(strides)
#     clip = frames[start::stride][:10], turned, sheared, jittered, masked
#     loss = cross_entropy(classify(student(clip)), stride)
#     optimizer.step()
_base_ = '_base_/rivals/gru.py'

views = ('clip',)
strides = (1, 2, 3)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.speed',)),
    encode=views,
    heads=dict(speed=dict(type='SpeedHead', in_channels=768, strides=strides)),
)
# Half of NW-UCLA's clips have more than 31 frames, of which all strides take 10.
take = dict(type='RandomStride', strides=strides, num_frames=10)
augment = [take, _base_.normalize, *_base_.move, *_base_.flip, *_base_.change]
make_views = dict(type='MakeSkeletonViews', views=dict(clip=augment))
pipeline = [make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
