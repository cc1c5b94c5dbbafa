# Recognition of the order of a clip's segments (the jigsaw of MS2L, arXiv 2010.05599, on video),
# on the small R3D-18: your own (--data DIR), or --set jhmdb, utdmhad or another set of videos.
#
#     clip = augment(segments in a random order)
#     loss = cross_entropy(classify(student(clip)), order)
#     optimizer.step()
_base_ = '_base_/rivals/r3d18-small.py'

views = ('clip',)
segments = 3  # of four frames
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.permutation',)),
    encode=views,
    heads=dict(
        order=dict(
            type='JigsawHead',
            in_channels=128,
            segments=segments,
            hidden_dim=512,
            inputs=dict(pooled='clip.pooled', label='targets.clip.permutation'),
        ),
    ),
)
sample_views = dict(type='SampleViews', clip=dict(_base_.clip, num_frames=12))
shuffle = dict(type='ShuffleViewSegments', segments=segments)
pack = dict(type='PackInputs', views=views)
train_pipeline = [sample_views, shuffle, *_base_.make_clip, pack]
test_pipeline = [sample_views, shuffle, *_base_.make_test_clip, pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
