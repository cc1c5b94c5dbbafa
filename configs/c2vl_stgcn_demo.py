# C2VL on the skeletons of the demo world (synthetic), with sentences from the joints' motion, and
# as a second modality the mean embedding of the video's frames. The world's own sentences.json
# comes from its labels and is not a target.
_base_ = [
    '_base_/sets/demo-skeleton.py',
    '_base_/students/stgcn.py',
    '_base_/methods/c2vl.py',
    '_base_/methods/frames.py',
]

momentum = 0.99  # some hundred steps
model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout),
    data_preprocessor=dict(targets=_base_.frames_targets),
    momentum_encoder=dict(momentum=momentum),
    heads=dict(prompts=dict(momentum=momentum), frames=dict(_base_.frames_head, momentum=momentum)),
)
# The names of the videos, not of the skeletons.
cache = '{{$MMACT_SSL_DATA:data}}/demo/targets/efficientnet_lite0_imagenet.lmdb'
load_frames = dict(_base_.load_frames, cache=cache)
crop = dict(_base_.crop, num_frames=32)  # clips hold 48
steps = [
    load_frames,
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(clip=[crop, *_base_.move, _base_.mask])),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=[_base_.load_mean_prompt, *steps]))
# For less than an hour on two cores.
train_cfg = dict(max_epochs=40)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=40)]
default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=10))
