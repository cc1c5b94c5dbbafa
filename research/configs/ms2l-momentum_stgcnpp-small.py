# MS2L's contrast between two augmented views of a clip on a small ST-GCN++, on --set nwucla or
# another set, against momentum keys and a queue (MoCo, arXiv 1911.05722; on skeletons SkeletonCLR
# of CrosSCLR, Li et al. 2021). The views, the network's size and all numbers are our choice.
_base_ = ['encoders/stgcnpp-small.py', 'mmact_ssl::_base_/methods/ms2l-twoview.py']

momentum = 0.99  # a few thousand steps
model = dict(
    backbone=_base_.encoder.backbone,
    data_preprocessor=dict(
        views=('one', 'two'),
        targets=('sample.video',),
        _delete_=True,
        type='SkeletonDataPreprocessor',
    ),
    encode=('one',),
    encode_together=False,
    momentum_encoder=dict(views=('two',), momentum=momentum),
    pooling=dict(mode='mean', streams=1),
    shared_weights=None,
    heads=dict(
        contrast=dict(
            _delete_=True,
            type='ConsistencyHead',
            in_channels=96,
            consistency='appearance',
            inputs=dict(query='one.pooled', key='two.momentum_pooled'),
            queue_size=512,  # half of the clips: more would hold a clip's other camera twice
            momentum=momentum,
            hidden_dim=256,
            embedding_dim=128,
        ),
    ),
)
streams = dict(type='BonesAndMotion', streams=('joint', 'bone'))
augment = [_base_.crop, *_base_.move, *_base_.flip, *_base_.jitter, streams, _base_.mask]
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pack = dict(type='PackInputs', views=('one', 'two'), video=True)
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
# 3.6 seconds a step on a CPU core.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=1500)
warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=1500)
param_scheduler = [warmup, cosine]
