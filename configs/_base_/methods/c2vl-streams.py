# C2VL on GRUs over joints, bones and motion.
_base_ = 'c2vl.py'

# Training on small sets takes about a thousand steps; an average of 0.999 would stay close to its
# random start (our choice).
momentum = 0.99
model = dict(
    momentum_encoder=dict(momentum=momentum),
    # The streams' GRUs have no last weight that all tasks share: compare gradients on all weights.
    shared_weights='',
    pooling=dict(mode='mean_max', streams=3),
    heads=dict(
        prompts=dict(in_channels=768, momentum=momentum),  # mean and maximum of three streams
    ),
)
crop = dict(_base_.crop, num_frames=32)
streams = dict(type='BonesAndMotion', motion_scale=10)
steps = [
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(clip=[crop, *_base_.move, streams, _base_.mask])),
    _base_.pack,
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
