# MS2L's tasks on mmaction2's ST-GCN: on your own skeletons (--data DIR), or --set nwucla,
# ntu60-xsub or another set. It would read padding, so every clip has 64 frames. Our choice.
_base_ = ['encoders/stgcn.py', '_base_/methods/ms2l.py']

model = dict(
    backbone=_base_.encoder.backbone,
    # Each view has its own batch statistics. Evaluation reads those of whole clips; mixed with the
    # statistics of masked and shuffled clips, they would not fit whole clips.
    encode_together=False,
    statistics_views=('clip',),
    # Compare the tasks' gradients on the last weight.
    shared_weights=None,
    heads=dict(
        motion=dict(
            in_channels=256,
            layout='$layout',
            num_persons='$persons',
            loss=dict(padded_frames=None),
        ),
        jigsaw=dict(in_channels=256),
        contrast=dict(in_channels=256),
    ),
)
resampled = [_base_.normalize, dict(type='ResampleFrames', num_frames='$frames')]
make_views = dict(
    type='MakeSkeletonViews',
    views=dict(
        clip=resampled,
        masked=[*resampled, dict(type='MaskFuture')],
        shuffled=[dict(type='ShuffleSegments'), *resampled],
    ),
)
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=[make_views, _base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[make_views, _base_.pack]))
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=1))
