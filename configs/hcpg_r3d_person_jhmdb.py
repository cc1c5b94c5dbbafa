# HCPG on JHMDB, under a network that tells the person from the background, in place of part maps.
_base_ = 'hcpg_r3d_jhmdb.py'

model = dict(heads=dict(parsing=dict(num_parts=1)))
load_parts = dict(_base_.load_parts, cache='selfie_segmentation.lmdb', layout='person')
train_pipeline = [_base_.sample_views, load_parts, *_base_.make_views]
test_pipeline = [_base_.sample_test_views, load_parts, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
