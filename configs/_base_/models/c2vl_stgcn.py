# C2VL on mmaction2's ST-GCN.
_base_ = '../students/stgcn.py'

backbone_name = 'stgcn'
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor',
        views=('clip',),
        targets=('clip_prompt', 'clip_prompt_valid'),
    ),
    encode=('clip',),
    pooling=dict(type='SkeletonPooling'),
    heads=dict(
        prompts=dict(type='PromptMatchingHead', in_channels=256, prompt_channels=384),
    ),
)
