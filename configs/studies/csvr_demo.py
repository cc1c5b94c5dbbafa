# CSVR on the demo world (synthetic): what each branch gives, against a random encoder.
dataset = 'demo'
seeds = (0, 1, 2)

pretrain = 'configs/csvr_r3d_demo.py'
pretext = dict(protocols='pretext', config=pretrain)
frozen = dict(protocols='linear,knn,retrieval', config='configs/downstream/linear_r3d_demo.py')

runs = [
    dict(method='Random init', evaluations=[frozen]),
    dict(method='CSVR', pretrain=pretrain, evaluations=[pretext, frozen]),
]
# One seed: these cost as much as a whole CSVR run each.
runs += [
    dict(
        method='CSVR',
        variant=f'no-{branch}',
        pretrain=pretrain,
        cfg_options=[f'model.heads.{branch}=None'],
        evaluations=[frozen],
        seeds=(0,),
    )
    for branch in ('pose', 'context', 'video')
]
