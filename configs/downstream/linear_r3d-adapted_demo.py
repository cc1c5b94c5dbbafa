# The protocols of linear_r3d_demo.py on the shared backbone and all of HCPG's adapters, side by
# side.
_base_ = [
    '../_base_/models/downstream_r3d18_small-adapted.py',
    '../_base_/datasets/downstream_demo.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=12))
# The cross-validation keeps a subject's clips together.
linear = dict(group_pattern=r'_s(\d+)_')
