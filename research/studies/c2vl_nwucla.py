# C2VL on NW-UCLA: from hard targets to the full method step by step, together with MS2L's contrast,
# and with wrong sentences. Random encoders and MS2L alone are in ms2l_nwucla.py.
dataset = 'nwucla'
seeds = (0, 1, 2)

downstream = dict(encoder='gru-streams', set='{dataset}')
frozen = [
    dict(protocols='linear,knn', **downstream),
    dict(protocols='linear', **downstream, label_fraction=0.1),
]
evaluations = [dict(protocols='pretext'), *frozen]
c2vl = dict(
    method='C2VL',
    pretrain='configs/c2vl_gru.py',
    set='{dataset}',
    evaluations=evaluations,
)
together = dict(
    method='MS2L + C2VL',
    pretrain='configs/ms2l-c2vl_gru.py',
    set='{dataset}',
    evaluations=evaluations[1:],
)

no_averages = ['model.heads.prompts.cross_consistency=False', 'model.momentum_encoder=None']
constant = 'model.heads.prompts.schedule=constant'
ladder = {
    'hard': ['model.heads.prompts.alpha_max=0', *no_averages],
    'self-similarity': [constant, *no_averages],
    'cross-consistency': [constant],
}
rungs = [dict(c2vl, variant=name, cfg_options=options) for name, options in ladder.items()]
# Some training clips with exchanged sentences; with 20 % one seed.
wrong = 'train_dataloader.dataset.pipeline.0.cache=prompts_shuffled'
shuffled = [
    dict(
        c2vl,
        variant=f'{name}shuffled-{percent}pct',
        cfg_options=[*options, f'{wrong}{percent}.lmdb'],
        seeds=some,
    )
    for percent, some in ((20, (0,)), (40, seeds))
    for name, options in (('hard-', ladder['hard']), ('', []))
]
runs = [c2vl, together, *rungs, *shuffled]
