# MS2L's joint strategy: classification together with the pretext tasks (as reported), on your own
# skeletons (--data DIR), or --set nwucla or another set. Reads labels.
_base_ = 'ms2l_gru.py'

classification = dict(type='ClassificationHead', in_channels=600, num_classes=_base_.num_classes)
model = dict(
    data_preprocessor=dict(targets=('shuffled.permutation', 'sample.label')),
    heads=dict(classification=classification),
)
pipeline = [_base_.make_views, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
# Labels need fewer steps (our choice).
max_iters = _base_.budget['max_iters'] * 2 // 3
train_cfg = dict(max_iters=max_iters)
param_scheduler = [dict(_base_.fall, milestones=[max_iters // 2])]
