# MS2L's joint strategy: classification together with the pretext tasks (as reported). Reads labels.
_base_ = 'ms2l_gru_nwucla.py'

train_pipeline = _base_.train_pipeline
train_pipeline[-1].label = True
model = dict(
    data_preprocessor=dict(targets=('shuffled_permutation', 'label')),
    heads=dict(classification=dict(type='ClassificationHead', in_channels=600, num_classes=10)),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=train_pipeline))
