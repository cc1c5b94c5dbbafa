# CSVR on the demo world (synthetic): what each branch gives, against a random encoder and
# supervised training.
dataset = 'demo'
seeds = (0, 1, 2)

pretrain = 'configs/csvr_r3d_demo.py'
linear = 'configs/downstream/linear_r3d_demo.py'
finetune = 'configs/downstream/finetune_r3d_demo.py'
evaluations = [
    dict(protocols='linear,knn,retrieval', config=linear),
    dict(protocols='finetune', config=finetune, label_fraction=0.1),
]

runs = [
    # Fine-tuning a random encoder is supervised training from scratch.
    dict(
        method='Random init',
        evaluations=[*evaluations, dict(protocols='finetune', config=finetune)],
    ),
    dict(method='CSVR', pretrain=pretrain, evaluations=evaluations),
]
runs += [
    dict(
        method='CSVR',
        variant=f'no-{branch}',
        pretrain=pretrain,
        cfg_options=[f'model.heads.{branch}=None'],
        evaluations=evaluations,
    )
    for branch in ('pose', 'context', 'video')
]
