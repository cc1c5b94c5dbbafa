# The contrast between two cameras together with classification, for few labels, on --set nwucla:
# our choice. Both cameras' clips of a performance share a label. Reads labels.
_base_ = 'mmact_ssl::ms2l-cameras_gru.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.views_classification'])

classification = dict(
    type='ViewsClassificationHead',
    in_channels=768,
    num_classes=_base_.num_classes,
    inputs=dict(pooled='one.pooled', other_camera='two.pooled'),
)
model = dict(
    data_preprocessor=dict(targets=('sample.label',)), heads=dict(classification=classification)
)
pipeline = [_base_.make_views, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
