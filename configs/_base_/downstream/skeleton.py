# What all students of skeletons share downstream: mmaction2's recognizer, fine-tuned or frozen.
# Whole clips, normalized as in pre-training.
_base_ = '../schedules/frozen_protocols.py'

custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    cls_head=dict(type='mmaction.GCNHead'),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
)
# Frozen features are pooled as in pre-training.
feature_pooling = dict(type='mmact_ssl.SkeletonPooling')
normalize = dict(type='mmact_ssl.NormalizeSkeleton', mode='first_frame')
pack = dict(type='mmaction.PackActionInputs')
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmact_ssl.SkeletonDataset'),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmact_ssl.SkeletonDataset', test_mode=True),
)
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
