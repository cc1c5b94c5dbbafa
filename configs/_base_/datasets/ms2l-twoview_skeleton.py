# Two views of a clip, each cut, turned, sheared, mirrored, scaled, jittered and masked in its own
# way. All clips take 32 frames, and time is bent: the speed of the recording, which differs between
# cameras, does not count. Which way the person faces does not count either.
augment = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32, warp=0.3),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
    dict(type='SkeletonFlip'),
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
    dict(type='BonesAndMotion', motion_scale=10),
    dict(type='JointMask', fraction=(0.1, 0.3)),
]
train_pipeline = [
    dict(type='NormalizeSkeleton', mode='first_frame'),
    dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment)),
    dict(type='PackSkeletonInputs', views=('one', 'two')),
]
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_size=128,
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline),
)
# For tools/test.py: how often a view finds its partner among clips that training never saw.
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', pipeline=train_pipeline, test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
