_base_ = ['../students/r3d18.py', 'hcpg_tasks.py']

backbone_name = 'r3d18'
model = _base_.tasks
