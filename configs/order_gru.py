# Recognition of the order of a skeleton clip's thirds (the jigsaw of MS2L, arXiv 2010.05599)
# under augmentation, on GRUs over joints, bones and motion: your own (--data DIR), or --set
# nwucla, utdmhad-skeleton or another set of skeletons.
#
#     clip = augment(thirds in a random order)
#     loss = cross_entropy(classify(student(clip)), order)
#     optimizer.step()
_base_ = '_base_/rivals/gru.py'

views = ('clip',)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.permutation',)),
    encode=views,
    heads=dict(
        order=dict(
            type='JigsawHead',
            in_channels=768,
            inputs=dict(pooled='clip.pooled', label='targets.clip.permutation'),
        ),
    ),
)
# A multiple of three frames: a remainder stays in its place.
crop = dict(_base_.crop, num_frames=30)
shuffle = dict(type='ShuffleSegments')
augment = [crop, shuffle, *_base_.move, *_base_.flip, *_base_.change]
make_views = dict(type='MakeSkeletonViews', views=dict(clip=augment))
pipeline = [_base_.normalize, make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
