# MS2L's contrast between two augmented views and C2VL's matching with sentences, together: on your
# own skeletons (--data DIR), or --set nwucla, utdmhad-skeleton or another set. The two views may be
# mirrored. A third, never mirrored, meets the sentences, which name left and right.
_base_ = ['mmact_ssl::ms2l-twoview_gru.py', 'mmact_ssl::_base_/methods/prompts.py']

views = ('one', 'two', 'clip')
momentum = 0.99  # as in configs/c2vl_gru.py
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.prompt', 'clip.prompt_valid')),
    encode=views,
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    heads=dict(prompts=dict(_base_.prompt_head, in_channels=768, momentum=momentum)),
)
augment = _base_.augment
never_mirrored = [_base_.crop, *_base_.move, *_base_.change]
pack = dict(type='PackInputs', views=views)
steps = [
    _base_.normalize,
    dict(
        type='MakeSkeletonViews',
        views=dict(one=augment, two=augment, clip=never_mirrored),
    ),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, *steps]))
