# Latent prediction on UTD-MHAD (real depth video), sized for two cores.
_base_ = ['_base_/sets/utdmhad.py', '_base_/students/vit-tiny.py', '_base_/methods/latent-small.py']

model = dict(backbone=_base_.backbone)
# Actions are longer than in JHMDB.
sample_views = dict(type='SampleViews', clip=dict(num_frames=8, stride=4))
augment = [_base_.gentle_crop, _base_.resize, _base_.no_flip]
train_pipeline = [
    sample_views,
    _base_.decode,
    dict(type='TransformViews', views=_base_.views, transforms=augment),
    _base_.mask,
    _base_.pack,
]
test_pipeline = [dict(sample_views, test_mode=True), *_base_.make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
