# C2VL on mmaction2's ST-GCN.
_base_ = '../students/stgcn.py'

backbone_name = 'stgcn'
momentum = 0.999
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor',
        views=('clip',),
        targets=('clip_prompt', 'clip_prompt_valid'),
    ),
    encode=('clip',),
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    pooling=dict(type='SkeletonPooling'),
    heads=dict(
        prompts=dict(
            type='PromptMatchingHead',
            in_channels=256,
            prompt_channels=384,  # MiniLM
            cross_consistency=True,
            momentum=momentum,
        ),
    ),
)
