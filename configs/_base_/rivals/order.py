# Recognition of the order of a clip's segments (the jigsaw of MS2L, arXiv 2010.05599, on video):
#
#     clip = augment(segments in a random order)
#     loss = cross_entropy(classify(student(clip)), order)
#     optimizer.step()
shuffled = ('clip',)
order_model = dict(
    data_preprocessor=dict(views=shuffled, targets=('clip.permutation',)), encode=shuffled
)
order = dict(
    type='JigsawHead',
    hidden_dim=512,
    inputs=dict(pooled='clip.pooled', label='targets.clip.permutation'),
)
shuffle = dict(type='ShuffleViewSegments')
pack_shuffled = dict(type='PackInputs', views=shuffled)
# Each segment has a crop and colors of its own: otherwise the cuts show which are neighbors.
transform_segments = dict(type='TransformSegments', views=shuffled)
