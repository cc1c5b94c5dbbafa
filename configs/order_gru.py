# Recognition of the order of a skeleton clip's thirds (the jigsaw of MS2L, arXiv 2010.05599)
# under augmentation, on GRUs over joints, bones and motion: your own (--data DIR), or --set
# nwucla, utdmhad-skeleton or another set of skeletons.
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
# Normalized, resampled and warped in the new order: the old one would show in the origin of its
# first frame, and in what is interpolated between two frames.
shuffled = [dict(_base_.crop, num_frames=None, warp=0.0), dict(type='ShuffleSegments')]
crop = dict(_base_.crop, area=(1.0, 1.0))
augment = [*shuffled, _base_.normalize, crop, *_base_.move, *_base_.flip, *_base_.change]
make_views = dict(type='MakeSkeletonViews', views=dict(clip=augment))
pipeline = [make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
