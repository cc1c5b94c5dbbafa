# DTG-Net on the demo world (synthetic), as on JHMDB.
_base_ = 'dtg_jhmdb.py'

dataset = 'demo'
