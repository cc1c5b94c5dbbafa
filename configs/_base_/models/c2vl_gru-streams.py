# C2VL on GRUs over joints, bones and motion: one view of a clip against a sentence about it.
_base_ = '../students/skeleton_gru_streams.py'

backbone_name = 'gru-streams'
# Small sets are seen for about a thousand steps, in which an average of 0.999 would hardly leave
# the random start (our choice).
momentum = 0.99
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor',
        views=('clip',),
        targets=('clip_prompt', 'clip_prompt_valid'),
    ),
    encode=('clip',),
    momentum_encoder=dict(views=('clip',), momentum=momentum),
    # The streams' GRUs have no last weight that all tasks share: gradients are compared on all.
    shared_weights='',
    pooling=dict(type='SkeletonPooling', mode='mean_max', streams=3),
    heads=dict(
        prompts=dict(
            type='PromptMatchingHead',
            in_channels=768,  # mean and maximum of three streams
            prompt_channels=384,  # MiniLM
            cross_consistency=True,
            momentum=momentum,
        ),
    ),
)
