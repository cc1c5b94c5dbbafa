# MS2L's tasks on a graph network of 256 channels, which would read padding: every clip in 64
# frames. Our choice.
_base_ = 'ms2l.py'

model = dict(
    # Each view has batch statistics of its own. Evaluation reads those of whole clips: of all three
    # views mixed, they would normalize clips that are neither masked nor shuffled in another way.
    encode_together=False,
    statistics_views=('clip',),
    # Tasks are compared on the last weight.
    shared_weights=None,
    heads=dict(
        motion=dict(in_channels=256, loss=dict(padded_frames=None)),
        jigsaw=dict(in_channels=256),
        contrast=dict(in_channels=256),
    ),
)
resample = dict(type='ResampleFrames', num_frames=64)
pipeline = [_base_.normalize, resample, _base_.make_views, _base_.pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=1))
