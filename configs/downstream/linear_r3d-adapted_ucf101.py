# The protocols of linear_r3d_ucf101.py on the shared backbone and all of HCPG's adapters, side by
# side.
_base_ = [
    '../_base_/models/downstream_r3d18-adapted.py',
    '../_base_/datasets/downstream_ucf101.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=101))
# The cross-validation keeps the clips of one source video together.
linear = dict(group_pattern=r'_g(\d+)_')
