# C2VL on the skeletons of the demo world (synthetic), with sentences from the joints' motion, and
# as a second modality the mean embedding of the video's frames: --set demo-skeleton. The world's
# own sentences.json comes from its labels and is not a target.
_base_ = 'mmact_ssl::c2vl-frames_stgcn.py'

momentum = 0.99  # some hundred steps
model = dict(
    momentum_encoder=dict(momentum=momentum),
    heads=dict(prompts=dict(momentum=momentum), frames=dict(momentum=momentum)),
)
encoder = dict(options=dict(frames=32))  # clips hold 48
steps = [
    _base_.load_frames,
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(clip=[_base_.crop, *_base_.move, _base_.mask])),
    _base_.pack,
]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
# For less than an hour on two cores.
train_cfg = dict(max_epochs=40)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=40)]
default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=10))
