# Pre-training on the target itself, for comparison with transfer from NW-UCLA.
dataset = 'msraction3d'
seeds = (0, 1, 2)

runs = [
    dict(
        method='MS2L two views',
        pretrain='configs/ms2l-twoview_gru.py',
        set='{dataset}',
        evaluations=[
            dict(
                protocols='linear,knn',
                encoder='gru-streams',
                set='{dataset}',
            )
        ],
    ),
]
