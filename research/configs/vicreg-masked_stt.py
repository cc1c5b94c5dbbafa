# VICReg between two augmented views and MAMP's masked motion on a third, together, on the small
# transformer over joints: --set nwucla or another set.
_base_ = ['mmact_ssl::ms2l-masked_stt.py', 'mmact_ssl::_base_/rivals/redundancy.py']

vicreg = dict(**_base_.vicreg, in_channels=128, views=('one', 'two'))
model = dict(heads=dict(vicreg=vicreg, contrast=None))
masked = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='MaskJointSegments', temperature=0.8),
]
make_views = dict(
    type='MakeSkeletonViews',
    views=dict(one=_base_.augment, two=_base_.augment, masked=masked),
)
pipeline = [_base_.normalize, make_views, dict(type='PackInputs', views=_base_.views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
