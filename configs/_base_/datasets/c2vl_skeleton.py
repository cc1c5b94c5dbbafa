# A view of a clip as between two views (ms2l-twoview_skeleton.py), but never mirrored: sentences
# tell left from right. One of its sentences is drawn in each step, tests read their mean; a clip
# without a sentence is left out of the loss. The sentences' path is the data set's own.
augment = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32, warp=0.3),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
    dict(type='BonesAndMotion', motion_scale=10),
    dict(type='JointMask', fraction=(0.1, 0.3)),
]
prompt = dict(
    type='LoadTargetCache', path='', target='prompt', kind='text', views=('clip',), missing='mask'
)
train_pipeline = [
    prompt,
    dict(type='NormalizeSkeleton', mode='first_frame'),
    dict(type='MakeSkeletonViews', views=dict(clip=augment)),
    dict(type='PackSkeletonInputs', views=('clip',)),
]
test_pipeline = [{**prompt, 'sentences': 'mean'}, *train_pipeline[1:]]
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_size=128,
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline),
)
# For tools/test.py: how often a clip and its sentence find each other among unseen clips.
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', pipeline=test_pipeline, test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
