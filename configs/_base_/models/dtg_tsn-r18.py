# The feature of a clip is the mean over its frames.
_base_ = ['../students/tsn_r18.py', 'dtg_tasks.py']

backbone_name = 'tsn-r18'
model = _base_.tasks
model.frame_wise = True
