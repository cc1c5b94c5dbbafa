# DTG-Net on UTD-MHAD: the effect of the sensor's poses beside the contrast of student with student.
_base_ = 'dtg_jhmdb.py'

dataset = 'utdmhad'
runs = _base_.guided
