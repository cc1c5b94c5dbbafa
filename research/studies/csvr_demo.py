# CSVR on the demo world (synthetic): the effect of each branch, against a random encoder.
_base_ = 'csvr_jhmdb.py'

dataset = 'demo'
runs = [
    dict(_base_.random, evaluations=[_base_.frozen]),
    dict(_base_.csvr, evaluations=[_base_.pretext, _base_.frozen]),
    *_base_.without,
]
