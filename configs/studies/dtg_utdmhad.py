# DTG-Net on UTD-MHAD: what the sensor's poses give beside the contrast of student with student.
_base_ = 'dtg_jhmdb.py'

dataset = 'utdmhad'
runs = _base_.guided
