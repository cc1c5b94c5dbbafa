# C2VL's matching with sentences and MAMP's masked motion on a second view, together, on the small
# transformer over joints.
_base_ = ['c2vl.py', 'masked-view.py']

views = ('clip', 'masked')
momentum = 0.99  # as in c2vl-streams.py
model = dict(
    data_preprocessor=dict(
        views=views, targets=('clip.prompt', 'clip.prompt_valid', 'masked.mask')
    ),
    encode=views,
    momentum_encoder=dict(momentum=momentum),
    heads=dict(
        prompts=dict(in_channels=128, momentum=momentum),
        motion=_base_.masked_motion,
    ),
)
crop = dict(_base_.crop, num_frames=32)
make_views = dict(
    type='MakeSkeletonViews',
    views=dict(clip=[crop, *_base_.move, _base_.mask], masked=_base_.masked),
)
steps = [_base_.normalize, make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
