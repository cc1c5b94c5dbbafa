# The contrast of two views together with classification of one of them, for few labels, on --set
# nwucla or another set: our choice. Reads labels.
_base_ = 'mmact_ssl::ms2l-twoview_gru.py'

classification = dict(
    type='ClassificationHead',
    in_channels=768,
    num_classes=_base_.num_classes,
    inputs=dict(pooled='one.pooled'),
)
model = dict(
    data_preprocessor=dict(targets=('sample.label',)), heads=dict(classification=classification)
)
pipeline = [_base_.normalize, _base_.make_views, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
