# MS2L's contrast between two augmented views and C2VL's matching with sentences, together. The two
# views may be mirrored. A third, never mirrored, meets the sentences, which name left and right.
_base_ = ['ms2l-twoview.py', 'prompts.py']

views = ('one', 'two', 'clip')
momentum = 0.99  # as in c2vl-streams.py
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.prompt', 'clip.prompt_valid')),
    encode=views,
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    heads=dict(prompts=dict(_base_.prompt_head, in_channels=768, momentum=momentum)),
)
mirrored = _base_.mirrored
pack = dict(type='PackInputs', views=views)
steps = [
    _base_.normalize,
    dict(
        type='MakeSkeletonViews',
        views=dict(one=mirrored, two=mirrored, clip=_base_.never_mirrored),
    ),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
