# MS2L's moving strategy (as reported): the weights move from the pretext tasks to classification
# during training; linearly is our choice. Reads labels.
_base_ = 'ms2l-joint_gru.py'

model = dict(
    balancer=dict(
        type='ScheduledWeights',
        weights=dict(motion=(1, 0), jigsaw=(1, 0), contrast=(1, 0), classification=(0, 1)),
    )
)
