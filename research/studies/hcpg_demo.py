# HCPG on the demo world (synthetic), under its parser, as on JHMDB.
_base_ = 'hcpg_jhmdb.py'

dataset = 'demo'
own = dict(pretrain='configs/hcpg_r3d_demo.py', set=dataset)
planned = [*_base_.tasks, *_base_.balancers]
runs = [dict(run, **own) if 'pretrain' in run else run for run in planned]
