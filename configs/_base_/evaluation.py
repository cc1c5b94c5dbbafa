# Settings of the protocols, the same for all encoders, not chosen on test splits; on the set of
# --set or the prepared folder of --data.
_base_ = '{{$MMACT_SSL_SET:sets/folder.py}}'

default_scope = 'mmaction'
custom_imports = dict(imports=['mmact_ssl'])
keys = ('group_pattern', 'group_file', 'one_standard_error')
linear = dict(
    penalties=(1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0),
    folds=5,
    max_iter=1000,
    **{key: _base_[key] for key in keys if key in _base_},
)
knn = dict(k=(5, 10, 20), main_k=10, temperature=0.07)
retrieval = dict(topk=(1, 5, 10, 20, 50))
fewshot = dict(
    labels=(1, 2, 5, 10),
    draws=20,
    **{key: _base_[key] for key in keys[:2] if key in _base_},
)
# With few labels the samples repeat, so an epoch is never shorter than this.
finetune = dict(min_iters_per_epoch=8)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=-1),
    logger=dict(type='LoggerHook', interval=20),
)
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
