# C2VL's prompt: a sentence about the clip, as a cached embedding. Each step draws one of a clip's
# sentences, tests read their mean; the loss leaves out clips without one.
prompt_head = dict(
    type='PromptMatchingHead',
    prompt_channels=384,  # MiniLM
    # Targets move from hard to half soft.
    alpha_max=0.5,
    cross_consistency=True,
)
load_prompt = dict(
    type='LoadTargets',
    target='prompt',
    cache='prompts.lmdb',
    kind='text',
    views=('clip',),
    missing='mask',
)
load_mean_prompt = dict(load_prompt, sentences='mean')
