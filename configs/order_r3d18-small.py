# Recognition of the order of a clip's segments, on the small R3D-18, by default on the demo world:
# your own (--data DIR), or --set jhmdb, utdmhad or another set of videos. JHMDB needs
# more than 250 steps.
_base_ = ['_base_/rivals/r3d18-small.py', '_base_/rivals/order.py']

segments = 3  # of four frames
# Not MS2L's hidden layer: its batch normalization over few clips keeps the task at chance.
head = dict(_base_.order, **_base_.head_sizes, segments=segments, hidden_dim=None)
model = dict(**_base_.order_model, heads=dict(order=head))
sample_views = dict(type='SampleViews', clip=dict(_base_.clip, num_frames=12))
cut_out = [_base_.crop, _base_.resize, _base_.jitter]
apart = dict(_base_.transform_segments, transforms=cut_out, segments=segments)
pipeline = [
    sample_views,
    dict(_base_.shuffle, segments=segments),
    _base_.decode,
    dict(type='TransformViews', views=_base_.shuffled, transforms=[_base_.flip]),
    apart,
    _base_.pack_shuffled,
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
