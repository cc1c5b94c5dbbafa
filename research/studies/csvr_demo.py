# CSVR on the demo world (synthetic): the effect of each branch, against a random encoder.
_base_ = 'csvr_jhmdb.py'

dataset = 'demo'
own = dict(pretrain='configs/csvr_r3d_demo.py', set=dataset)
runs = [
    dict(_base_.random, evaluations=[_base_.frozen]),
    dict(dict(_base_.csvr, **own), evaluations=[_base_.pretext, _base_.frozen]),
    *(dict(run, **own) for run in _base_.without),
]
