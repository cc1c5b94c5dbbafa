# The GRUs over streams on the joints that all layouts have: one network for every skeleton, in space
# or in a picture. It reads one person, the first.
_base_ = 'gru-streams.py'

backbone_name = 'gru-streams-common'
common = dict(layout='common15', num_persons=1, in_channels=3)
model = dict(backbone=dict(encoder=common))
convert = dict(type='mmact_ssl.ToCommonJoints')
one_person = dict(type='mmaction.FormatGCNInput', num_person=1)
format_streams = [_base_.make_streams, one_person, _base_.pack]
train_pipeline = [convert, _base_.normalize, *_base_.augment, *_base_.flip, *format_streams]
test_pipeline = [convert, _base_.normalize, _base_.resample, *format_streams]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
