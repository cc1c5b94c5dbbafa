# CSVR on JHMDB: the effect of each branch, against a random encoder and supervised training.
dataset = 'jhmdb'
seeds = (0, 1, 2)

pretrain = dict(pretrain='configs/csvr_r3d18-small.py', set='{dataset}')
pretext = dict(protocols='pretext')
downstream = dict(encoder='r3d18-small', set='{dataset}')
frozen = dict(protocols='linear,knn,retrieval', **downstream)
finetune = dict(protocols='finetune', **downstream)
few_labels = dict(**finetune, label_fraction=0.1)

random = dict(method='Random init', evaluations=[frozen, few_labels])
csvr = dict(method='CSVR', **pretrain, evaluations=[pretext, frozen, few_labels])
# Fine-tuning a random encoder is supervised training from scratch.
supervised = dict(method='Random init', evaluations=[finetune], seeds=(0,))
# One seed: each costs as much as a whole CSVR run.
tasks = {name: [f'model.heads.{name}=None'] for name in ('pose', 'context', 'current', 'future')}
gan = [f'model.heads.{name}.adversarial=None' for name in ('pose', 'current', 'future')]
without = [
    dict(csvr, variant=f'no-{name}', cfg_options=options, evaluations=[pretext, frozen], seeds=(0,))
    for name, options in (*tasks.items(), ('gan', gan))
]
runs = [random, csvr, supervised, *without]
