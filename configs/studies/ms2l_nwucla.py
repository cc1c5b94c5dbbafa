# MS2L on NW-UCLA with the published hyper-parameters, against a random encoder and supervised
# training; its transfer to other sets of the same joints; and what each task gives.
dataset = 'nwucla'
seeds = (0, 1, 2)

pretrain = 'configs/ms2l_gru_nwucla.py'
pretext = dict(protocols='pretext', config=pretrain)
frozen = dict(
    protocols='linear,linear-sgd,knn,retrieval', config='configs/downstream/linear_gru_nwucla.py'
)
finetune = dict(protocols='finetune', config='configs/downstream/finetune_gru_nwucla.py')
few_labels = dict(**finetune, label_fraction=0.1)
transfer = [
    dict(protocols='linear', config=f'configs/downstream/linear_gru_{name}.py', dataset=name)
    for name in ('utdmhad-skeleton', 'msraction3d', 'utkinect')
]

runs = [
    dict(method='Random init', evaluations=[frozen, few_labels, *transfer]),
    dict(
        method='MS2L',
        pretrain=pretrain,
        evaluations=[pretext, frozen, few_labels, finetune, *transfer],
    ),
    # Fine-tuning a random encoder is supervised training from scratch.
    dict(method='Random init', evaluations=[finetune], seeds=(0,)),
]
# One seed: these cost as much as a whole run each.
runs += [
    dict(
        method='MS2L',
        variant=f'no-{task}',
        pretrain=pretrain,
        cfg_options=[f'model.heads.{task}=None'],
        evaluations=[frozen],
        seeds=(0,),
    )
    for task in ('motion', 'jigsaw', 'contrast')
]
