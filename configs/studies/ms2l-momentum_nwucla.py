# The contrast by momentum keys on a small ST-GCN++, against the same network at random and trained
# from scratch: five seeds on NW-UCLA.
dataset = 'nwucla'
seeds = (0, 1, 2, 3, 4)

linear = 'configs/downstream/linear_stgcnpp-small_{dataset}.py'
finetune = 'configs/downstream/finetune_stgcnpp-small_{dataset}.py'
pretrain = 'configs/ms2l-momentum_stgcnpp-small_{dataset}.py'
evaluations = [
    dict(protocols='linear,knn', config=linear),
    dict(protocols='linear', config=linear, label_fraction=0.1),
    dict(protocols='finetune', config=finetune, label_fraction=0.1),
    dict(protocols='finetune', config=finetune),
]
runs = [
    dict(
        method='MS2L momentum',
        pretrain=pretrain,
        evaluations=[dict(protocols='pretext', config=pretrain), *evaluations],
    ),
    dict(method='Random init', variant='stgcnpp-small', evaluations=evaluations),
]
