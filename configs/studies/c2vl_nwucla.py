# C2VL on NW-UCLA: from hard targets to the full method rung by rung, together with MS2L's contrast,
# and with wrong sentences. Random encoders and MS2L alone are in ms2l_nwucla.py.
dataset = 'nwucla'
seeds = (0, 1, 2)

data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
pretrain = 'configs/c2vl_gru_nwucla.py'
together = 'configs/ms2l-c2vl_gru_nwucla.py'
downstream = 'configs/downstream/linear_gru-streams_nwucla.py'
evaluations = [
    dict(protocols='linear,knn', config=downstream),
    dict(protocols='linear', config=downstream, label_fraction=0.1),
    dict(
        protocols='text-retrieval',
        config=downstream,
        cfg_options=[f'text_retrieval.texts={data_root}/targets/prompts.lmdb'],
    ),
    # The last, so that without sentences about the classes nothing else is missing.
    dict(
        protocols='zeroshot',
        config=downstream,
        cfg_options=[f'zeroshot.texts={data_root}/targets/classes.lmdb'],
    ),
]

no_averages = ['model.heads.prompts.cross_consistency=False', 'model.momentum_encoder=None']
training_prompts = 'train_dataloader.dataset.pipeline.0.path'
constant = 'custom_hooks.3.schedule=constant'
ladder = {
    'hard': ['custom_hooks.3.alpha_max=0', *no_averages],
    'self-similarity': [constant, *no_averages],
    'cross-consistency': [constant],
}
runs = [
    dict(method='C2VL', pretrain=pretrain, evaluations=evaluations),
    dict(method='MS2L + C2VL', pretrain=together, evaluations=evaluations),
]
runs += [
    dict(
        method='C2VL',
        variant=variant,
        pretrain=pretrain,
        cfg_options=options,
        evaluations=evaluations,
    )
    for variant, options in ladder.items()
]
# One seed: joints, bones and motion each meet the sentences by projectors of their own.
apart = ['model.heads.prompts.streams=3']
runs += [
    dict(
        method='C2VL',
        variant=f'{name}streams-apart',
        pretrain=pretrain,
        cfg_options=[*options, *apart],
        evaluations=evaluations,
        seeds=(0,),
    )
    for name, options in (('hard-', ladder['hard']), ('', []))
]
# A share of the training clips exchanged their sentences; with 20 % one seed.
runs += [
    dict(
        method='C2VL',
        variant=f'{name}shuffled-{percent}pct',
        pretrain=pretrain,
        cfg_options=[
            *options,
            f'{training_prompts}={data_root}/targets/prompts_shuffled{percent}.lmdb',
        ],
        evaluations=evaluations,
        seeds=some,
    )
    for percent, some in ((20, (0,)), (40, seeds))
    for name, options in (('hard-', ladder['hard']), ('', []))
]
