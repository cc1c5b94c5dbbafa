# The GRUs over streams on the joints that all layouts have: one network for every skeleton, in
# space or in a picture. Clips of 16 frames; of several persons the first.
_base_ = 'gru-streams.py'

encoder = dict(
    name='gru-streams-common',
    options=dict(_delete_=True, frames=16),
    backbone=dict(encoder=dict(layout='common15', num_persons=1, in_channels=3)),
    clip=[
        dict(type='mmact_ssl.ToCommonJoints'),
        *_base_.encoder.clip[:-2],
        dict(_base_.encoder.clip[-2], num_person=1),
        _base_.encoder.clip[-1],
    ],
    finetune=dict(
        clip=[
            dict(type='mmact_ssl.ToCommonJoints'),
            *_base_.encoder.finetune.clip[:-2],
            dict(_base_.encoder.finetune.clip[-2], num_person=1),
            _base_.encoder.finetune.clip[-1],
        ],
    ),
)
