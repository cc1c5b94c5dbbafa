# MS2L's views: the clip, the clip without its last 30 %, and the clip with its thirds in another
# order. Clips are put in the axes of their first frame, which no camera's place changes: chosen by
# cross-validation between the training views of NW-UCLA (docs/methods/ms2l.md). The paper's own
# choice is mode='body_axes'; the released run leaves coordinates as they are, and does not shuffle.
# A set's own file names its folder.
train_pipeline = [
    dict(type='NormalizeSkeleton', mode='first_frame'),
    dict(
        type='MakeSkeletonViews',
        views=dict(
            clip=[], masked=[dict(type='MaskFuture')], shuffled=[dict(type='ShuffleSegments')]
        ),
    ),
    dict(type='PackSkeletonInputs', views=('clip', 'masked', 'shuffled')),
]
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_size=256,
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline),
)
# For tools/test.py: how well the pretext tasks do on clips that training never saw.
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline, test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
