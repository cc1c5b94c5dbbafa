# CSVR on UTD-MHAD, against a random encoder and supervised training.
_base_ = 'csvr_jhmdb.py'

dataset = 'utdmhad'
runs = [_base_.random, _base_.csvr, _base_.supervised, *_base_.without]
