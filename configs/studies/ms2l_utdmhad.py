# Contrast between two augmented views on the skeletons of UTD-MHAD (odd against even subjects).
dataset = 'utdmhad-skeleton'
seeds = (0, 1, 2)

pretrain = 'configs/ms2l-twoview_gru_utdmhad.py'
linear = 'configs/downstream/linear_gru-streams_utdmhad-skeleton.py'
finetune = 'configs/downstream/finetune_gru-streams_utdmhad-skeleton.py'
evaluations = [
    dict(protocols='linear,knn,retrieval', config=linear),
    dict(protocols='linear', config=linear, label_fraction=0.1),
    dict(protocols='finetune', config=finetune, label_fraction=0.1),
    dict(protocols='finetune', config=finetune),
]
runs = [
    dict(
        method='MS2L two views',
        pretrain=pretrain,
        evaluations=[dict(protocols='pretext', config=pretrain), *evaluations],
    ),
    dict(method='Random init', variant='streams', evaluations=evaluations),
]
