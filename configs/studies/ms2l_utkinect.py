# Pre-training on the target itself, for comparison with transfer from NW-UCLA.
dataset = 'utkinect'
seeds = (0, 1, 2)

runs = [
    dict(
        method='MS2L two views',
        pretrain='configs/ms2l-twoview_gru_utkinect.py',
        evaluations=[
            dict(
                protocols='linear,knn',
                config='configs/downstream/linear_gru-streams_utkinect.py',
            )
        ],
    ),
]
