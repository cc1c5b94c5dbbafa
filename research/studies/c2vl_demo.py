# C2VL with sentences and frames on the skeletons of the demo world (synthetic).
dataset = 'demo-skeleton'
seeds = (0,)

downstream = dict(encoder='stgcn', set=dataset)
frozen = [
    dict(protocols='linear,knn', **downstream),
    dict(protocols='linear', **downstream, label_fraction=0.1),
]
runs = [
    dict(
        method='C2VL',
        pretrain='configs/c2vl_stgcn_demo.py',
        set=dataset,
        evaluations=frozen,
    ),
    dict(method='Random init', evaluations=frozen),
]
