# CSVR on UTD-MHAD, against a random encoder and supervised training.
_base_ = 'csvr_jhmdb.py'

dataset = 'utdmhad'
own = dict(pretrain='configs/csvr_r3d_utdmhad.py', set=dataset)
trained = [dict(run, **own) for run in (_base_.csvr, *_base_.without)]
runs = [_base_.random, _base_.supervised, *trained]
