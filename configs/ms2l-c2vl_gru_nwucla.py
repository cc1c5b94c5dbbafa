# MS2L's contrast between two augmented views and C2VL's matching with sentences, together. The two
# views may be mirrored; a third, which is not, meets the sentences, for they tell left from right.
_base_ = [
    '_base_/models/ms2l-twoview_gru.py',
    '_base_/datasets/ms2l-twoview_skeleton.py',
    '_base_/schedules/ms2l-twoview.py',
    '_base_/runtime/pretrain_c2vl.py',
]

dataset_name = 'nwucla'
data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py nwucla --source DIR',
)
views = ('one', 'two', 'clip')
momentum = 0.99  # as c2vl_gru-streams.py
model = dict(
    data_preprocessor=dict(views=views, targets=('clip_prompt', 'clip_prompt_valid')),
    encode=views,
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    heads=dict(
        prompts=dict(
            type='PromptMatchingHead',
            in_channels=768,
            prompt_channels=384,
            cross_consistency=True,
            momentum=momentum,
        ),
    ),
)
prompt = dict(
    type='LoadTargetCache',
    path=f'{data_root}/targets/prompts.lmdb',
    target='prompt',
    kind='text',
    views=('clip',),
    missing='mask',
)
augment = _base_.augment
never_mirrored = [step for step in augment if step['type'] != 'SkeletonFlip']
train_pipeline = [
    prompt,
    _base_.train_pipeline[0],
    dict(
        type='MakeSkeletonViews',
        views=dict(one=augment, two=augment, clip=never_mirrored),
    ),
    dict(type='PackSkeletonInputs', views=views),
]
test_pipeline = [{**prompt, 'sentences': 'mean'}, *train_pipeline[1:]]
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xview_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xview_test.txt', pipeline=test_pipeline, **folder)
)
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
