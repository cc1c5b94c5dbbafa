# HCPG on the demo world (synthetic), under its parser, as on JHMDB.
_base_ = 'hcpg_jhmdb.py'

dataset = 'demo'
runs = [*_base_.tasks, *_base_.balancers]
