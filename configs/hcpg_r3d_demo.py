# HCPG on the demo world (synthetic), under a small mmsegmentation parser trained on it.
_base_ = 'hcpg_r3d18-small.py'

model = dict(
    heads=dict(parsing=dict(num_parts=10)),
    # Chosen on subjects held out of the training split.
    balancer=dict(weights=dict(appearance=0.1, motion=0.1)),
)
load_parts = dict(_base_.load_parts, cache='demo_parsing_teacher.lmdb', layout='demo_parts')
train_pipeline = [_base_.sample_views, load_parts, *_base_.make_views]
test_pipeline = [_base_.sample_views, load_parts, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
