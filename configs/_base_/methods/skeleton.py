# Shared settings of all methods on skeletons.
_base_ = '../runtime/pretrain.py'

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='SkeletonDataPreprocessor'),
    pooling=dict(type='SkeletonPooling'),
)
# Clips in the axes of their first frame, independent of the camera's place.
normalize = dict(type='NormalizeSkeleton', mode='first_frame')
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset'),
)
# For tools/test.py: pretext tasks on held-out clips.
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
