# The same, with weights that move from the contrast to classification during training, linearly.
# Reads labels.
_base_ = 'ms2l-cameras-joint_gru.py'

model = dict(
    balancer=dict(type='ScheduledWeights', weights=dict(contrast=(1, 0), classification=(0, 1)))
)
