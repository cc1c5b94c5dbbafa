# MS2L's joint strategy: classification together with the pretext tasks (as reported). Reads labels.
_base_ = 'ms2l_gru_nwucla.py'

classification = dict(type='ClassificationHead', in_channels=600, num_classes=_base_.num_classes)
model = dict(
    data_preprocessor=dict(targets=('shuffled.permutation', 'sample.label')),
    heads=dict(classification=classification),
)
# Labels need fewer steps (our choice).
train_cfg = dict(max_iters=2000)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[1000], gamma=0.1)]
pipeline = [_base_.make_views, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
