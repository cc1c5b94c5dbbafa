# Shared settings of all methods on skeletons, on the set of --set or the prepared folder of --data.
_base_ = ['{{$MMACT_SSL_SET:../sets/folder-skeleton.py}}', '../runtime/pretrain.py']

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='SkeletonDataPreprocessor'),
    pooling=dict(type='SkeletonPooling'),
)
# Clips in the axes of their first frame, independent of the camera's place.
normalize = dict(type='NormalizeSkeleton')
# Of augmented views.
move = [
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
]
jitter = [
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
]
mask = dict(type='JointMask', fraction=(0.1, 0.3))
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', **_base_.train_set),
)
# For tools/test.py: pretext tasks on held-out clips.
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset', test_mode=True, **_base_.get('test_set', _base_.train_set)
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
