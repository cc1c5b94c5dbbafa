# The protocols of linear_r3d_hmdb51.py on the shared backbone and all of HCPG's adapters, side by
# side.
_base_ = [
    '../_base_/models/downstream_r3d18-adapted.py',
    '../_base_/datasets/downstream_hmdb51.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=51))
