# C2VL on your own skeletons (--data DIR), or --set nwucla, utdmhad-skeleton or another set, on GRUs
# over joints, bones and motion, with sentences in targets/prompts.lmdb: from the joints' motion,
# unless you have others (docs/extend/sentences.md).
_base_ = ['encoders/gru-streams.py', '_base_/methods/c2vl.py']

# Training on small sets takes about a thousand steps; an average of 0.999 would stay close to its
# random start (our choice).
momentum = 0.99
backbone = _base_.encoder.backbone
model = dict(
    backbone=dict(backbone, encoder=dict(backbone.encoder, pool=None)),
    momentum_encoder=dict(momentum=momentum),
    # The streams' GRUs have no last weight that all tasks share: compare gradients on all weights.
    shared_weights='',
    pooling=dict(mode='mean_max', streams=3),
    heads=dict(
        prompts=dict(in_channels=768, momentum=momentum),  # mean and maximum of three streams
    ),
)
streams = dict(type='BonesAndMotion', motion_scale=10)
steps = [
    _base_.normalize,
    dict(
        type='MakeSkeletonViews', views=dict(clip=[_base_.crop, *_base_.move, streams, _base_.mask])
    ),
    _base_.pack,
]
train_dataloader = dict(
    batch_size=64 if _base_.get('few_clips') else 128,
    dataset=dict(pipeline=[_base_.load_prompt, *steps]),
)
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
epochs = _base_.get('pretrain_epochs', 120)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=epochs)]
