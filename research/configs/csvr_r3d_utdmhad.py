# CSVR on UTD-MHAD (real depth video) with poses from the sensor: --set utdmhad.
_base_ = 'mmact_ssl::csvr_r3d18-small.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.posture_loss'])

# Without a background, an I-frame shows mainly the person, which does not help for new subjects.
# The camera stands still: in the view's coordinates poses depend mostly on the random crop.
model = dict(
    heads=dict(pose=dict(loss=dict(type='PostureLoss', beta=0.05, posture=3.0))),
    balancer=dict(weights=dict(pose=6.0, context=0.05)),
)
# Actions are longer than in JHMDB. Depth has no colors.
views = dict(clip=dict(num_frames=8, stride=4), future=dict(num_frames=8, stride=2))
sample_views = dict(_base_.sample_views, **views)
augment = [_base_.crop, _base_.resize, _base_.flip]
train_pipeline = [
    sample_views,
    _base_.load_poses,
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
test_pipeline = [dict(sample_views, test_mode=True), _base_.load_poses, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=50)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=50)]
