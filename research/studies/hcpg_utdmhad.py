# HCPG on UTD-MHAD, under part maps drawn from the sensor's poses, as on JHMDB.
_base_ = 'hcpg_jhmdb.py'

dataset = 'utdmhad'
runs = _base_.tasks
