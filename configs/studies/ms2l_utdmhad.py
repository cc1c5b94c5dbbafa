# MS2L with the published hyper-parameters, and contrast between two augmented views, on the
# skeletons of UTD-MHAD (odd against even subjects).
dataset = 'utdmhad-skeleton'
seeds = (0, 1, 2)


def evaluations(encoder, frozen_protocols):
    linear = f'configs/downstream/linear_{encoder}_{dataset}.py'
    finetune = f'configs/downstream/finetune_{encoder}_{dataset}.py'
    return [
        dict(protocols=frozen_protocols, config=linear),
        dict(protocols='linear', config=linear, label_fraction=0.1),
        dict(protocols='finetune', config=finetune, label_fraction=0.1),
        # Fine-tuning a random encoder is supervised training from scratch.
        dict(protocols='finetune', config=finetune),
    ]


streams = evaluations('gru-streams', 'linear,knn,retrieval')
twoview = 'configs/ms2l-twoview_gru_utdmhad.py'
runs = [
    dict(
        method='MS2L two views',
        pretrain=twoview,
        evaluations=[dict(protocols='pretext', config=twoview), *streams],
    ),
    dict(method='Random init', variant='streams', evaluations=streams),
]
# One seed: the published training takes half an hour. Its encoder is not fine-tuned.
published = evaluations('gru', 'linear,linear-sgd,knn,retrieval')[:2]
ms2l = 'configs/ms2l_gru_utdmhad.py'
runs += [
    dict(
        method='MS2L',
        pretrain=ms2l,
        evaluations=[dict(protocols='pretext', config=ms2l), *published],
        seeds=(0,),
    ),
    dict(method='Random init', evaluations=published, seeds=(0,)),
]
