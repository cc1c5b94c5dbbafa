# CSVR on UTD-MHAD, against a random encoder and supervised training; one seed.
_base_ = 'csvr_jhmdb.py'

dataset = 'utdmhad'
seeds = (0,)
runs = [_base_.random, _base_.csvr, _base_.supervised]
