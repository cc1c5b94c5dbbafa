# HCPG on JHMDB, under part maps drawn from poses: contrast alone, parsing alone, and both, in one
# representation for all tasks and in one for each.
dataset = 'jhmdb'
seeds = (0, 1, 2)

pretrain = dict(pretrain='configs/hcpg_r3d18-small.py', set='{dataset}')
downstream = dict(encoder='r3d18-small', set='{dataset}')
frozen = dict(protocols='linear,knn,retrieval', **downstream)
# With the conflict of the tasks' gradients, which the training logs, too.
conflict = 'research/gradient_conflict.py'
pretext = dict(protocols='pretext', program=conflict)
hooks = [
    'default_hooks.gradient_conflict.type=research.gradient_conflict.GradientConflictHook',
    'default_hooks.gradient_conflict.interval=20',
]
shared = ['model.adapters.motion=appearance', 'model.adapters.parsing=appearance']
no_parsing = ['model.heads.parsing=None', 'model.adapters.parsing=None']
no_contrast = [
    f'model.{what}.{task}=None'
    for what in ('heads', 'adapters')
    for task in ('appearance', 'motion')
]

random = dict(method='Random init', evaluations=[frozen])
hcpg = dict(method='HCPG', **pretrain, hooks=hooks, evaluations=[pretext, frozen])
alone = dict(method='HCPG', **pretrain, evaluations=[frozen])
tasks = [
    random,
    hcpg,
    dict(hcpg, variant='shared', cfg_options=shared),
    dict(alone, variant='contrast-alone', cfg_options=no_parsing),
    dict(alone, variant='parsing-alone', cfg_options=[*no_contrast, 'model.encode=[clip]']),
]
# One seed: balancers that weight the tasks or change their gradients.
balancers = [
    dict(
        alone,
        variant=variant,
        cfg_options=['model.balancer._delete_=True', f'model.balancer.type={balancer}'],
        seeds=(0,),
    )
    for variant, balancer in (
        ('uncertainty', 'UncertaintyWeights'),
        ('pcgrad', 'PCGrad'),
    )
]
runs = [*tasks, *balancers]
