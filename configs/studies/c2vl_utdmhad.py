# C2VL on the skeletons of UTD-MHAD, rung by rung as on NW-UCLA. Random encoders and MS2L alone are
# in ms2l_utdmhad.py.
_base_ = 'c2vl_nwucla.py'

dataset = 'utdmhad-skeleton'
seeds = (0,)

data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
pretrain = 'configs/c2vl_gru_utdmhad.py'
together = 'configs/ms2l-c2vl_gru_utdmhad.py'
downstream = 'configs/downstream/linear_gru-streams_utdmhad-skeleton.py'
evaluations = [
    dict(protocols='linear,knn', config=downstream),
    dict(protocols='linear', config=downstream, label_fraction=0.1),
    dict(
        protocols='text-retrieval',
        config=downstream,
        cfg_options=[f'text_retrieval.texts={data_root}/targets/prompts.lmdb'],
    ),
]
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
    for variant, options in _base_.ladder.items()
]
