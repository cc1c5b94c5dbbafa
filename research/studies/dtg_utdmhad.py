# DTG-Net on UTD-MHAD: the effect of the sensor's poses beside the contrast of student with student.
_base_ = 'dtg_jhmdb.py'

dataset = 'utdmhad'
own = dict(pretrain='configs/dtg_r3d_utdmhad.py', set=dataset)
runs = [dict(run, **own) if 'pretrain' in run else run for run in _base_.guided]
