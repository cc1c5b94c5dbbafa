# Shared downstream settings of all students of skeletons: mmaction2's recognizer, fine-tuned or
# frozen, on the set of --set or the prepared folder of --data. Whole clips, normalized as in
# pre-training.
_base_ = ['{{$MMACT_SSL_SET:../sets/folder-skeleton.py}}', '../schedules/frozen_protocols.py']

custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    cls_head=dict(type='mmaction.GCNHead', num_classes=_base_.num_classes),
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
    dataset=dict(type='mmact_ssl.SkeletonDataset', **_base_.train_set),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmact_ssl.SkeletonDataset', test_mode=True, **_base_.test_set),
)
keys = ('group_pattern', 'group_file', 'one_standard_error')
linear = {key: _base_[key] for key in keys if key in _base_}
fewshot = {key: _base_[key] for key in keys[:2] if key in _base_}
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
