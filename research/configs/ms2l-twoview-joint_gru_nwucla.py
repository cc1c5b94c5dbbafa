# The contrast of two views together with classification of one of them, for few labels: our choice.
# Reads labels.
_base_ = 'mmact_ssl::ms2l-twoview_gru_nwucla.py'

classification = dict(
    type='ClassificationHead',
    in_channels=768,
    num_classes=_base_.num_classes,
    inputs=dict(pooled='one.pooled'),
)
model = dict(
    data_preprocessor=dict(targets=('sample.label',)), heads=dict(classification=classification)
)
labeled = dict(_base_.pack, label=True)
train_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, _base_.make_views, labeled]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, _base_.make_views, labeled]))
