# MS2L with the published hyper-parameters, and contrast between two augmented views, on the
# skeletons of UTD-MHAD (odd against even subjects).
_base_ = 'ms2l_nwucla.py'

dataset = 'utdmhad-skeleton'
seeds = (0, 1, 2)

runs = [
    dict(
        method='MS2L two views',
        pretrain='configs/ms2l-twoview_gru.py',
        set=dataset,
        evaluations=[_base_.pretext, *_base_.streams],
    ),
    dict(method='Random init', variant='streams', evaluations=_base_.streams),
]
# One seed. The published encoder is not fine-tuned.
published = _base_.published[:2]
runs += [
    dict(
        method='MS2L',
        pretrain='configs/ms2l_gru.py',
        set=dataset,
        evaluations=[_base_.pretext, *published],
        seeds=(0,),
    ),
    dict(method='Random init', evaluations=published, seeds=(0,)),
]
