# MS2L's tasks on mmaction2's AAGCN, NW-UCLA (views 1 and 2).
_base_ = 'ms2l_stgcn_nwucla.py'

backbone_name = 'aagcn'
model = dict(backbone=dict(network=dict(type='mmaction.AAGCN', num_person=1), mode='spatial'))
