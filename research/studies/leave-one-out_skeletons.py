# Is a general model of skeletons worth it? Pre-training on all sets but one, tested on that one,
# with few labels; against a random encoder and statistics of the poses, on the same joints.
dataset = 'skeletons'
seeds = (0,)
labeled = ('nwucla', 'utdmhad-skeleton', 'msraction3d', 'utkinect')


def on(name, encoder='gru-streams-common'):
    return dict(protocols='fewshot,knn', encoder=encoder, set=name, dataset=name)


runs = [
    dict(
        method='MS2L common joints',
        variant=f'without-{name}',
        pretrain=f'configs/ms2l-twoview_gru_skeletons-without-{name}.py',
        set='nwucla',
        evaluations=[on(name)],
    )
    for name in labeled
]
runs += [
    dict(
        method='Random init',
        variant='common-joints',
        evaluations=[on(name) for name in labeled],
    ),
    dict(
        method='Pose statistics',
        evaluations=[on(name, 'pose-statistics') for name in labeled],
    ),
]
