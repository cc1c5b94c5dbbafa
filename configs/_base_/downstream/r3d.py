# Shared downstream settings of the 3D students.
_base_ = 'video.py'

model = dict(
    type='mmaction.Recognizer3D',
    cls_head=dict(type='mmaction.I3DHead'),
    data_preprocessor=dict(format_shape='NCTHW'),
)
sample = dict(
    type='mmaction.SampleFrames',
    frame_interval=_base_.get('frame_interval', 2),
    out_of_bound_opt='repeat_last',
)
# Average the features or scores of three evenly spread clips.
sample_test = dict(sample, num_clips=3, test_mode=True)
pack = [
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs'),
]
