# HCPG on UTD-MHAD, under part maps drawn from the sensor's poses, as on JHMDB.
_base_ = 'hcpg_jhmdb.py'

dataset = 'utdmhad'
own = dict(pretrain='configs/hcpg_r3d_utdmhad.py', set=dataset)
runs = [dict(run, **own) if 'pretrain' in run else run for run in _base_.tasks]
