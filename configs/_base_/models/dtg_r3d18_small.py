_base_ = ['../students/r3d18_small.py', 'dtg_tasks.py']

backbone_name = 'r3d18-small'
model = _base_.tasks
model.heads.guidance.in_channels = 128
model.heads.contrast.in_channels = 128
