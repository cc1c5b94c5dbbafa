# The contrast by momentum keys on a small ST-GCN++, against the same network at random and trained
# from scratch: five seeds on NW-UCLA.
dataset = 'nwucla'
seeds = (0, 1, 2, 3, 4)

downstream = dict(encoder='stgcnpp-small', set='{dataset}')
evaluations = [
    dict(protocols='linear,knn', **downstream),
    dict(protocols='linear', **downstream, label_fraction=0.1),
    dict(protocols='finetune', **downstream, label_fraction=0.1),
    dict(protocols='finetune', **downstream),
]
runs = [
    dict(
        method='MS2L momentum',
        pretrain='configs/ms2l-momentum_stgcnpp-small.py',
        set='{dataset}',
        evaluations=[dict(protocols='pretext'), *evaluations],
    ),
    dict(method='Random init', variant='stgcnpp-small', evaluations=evaluations),
]
