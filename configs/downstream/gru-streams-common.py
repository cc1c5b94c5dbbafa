# The GRUs over streams on the joints that all layouts have: one network for every skeleton, in
# space or in a picture. Clips of 16 frames; of several persons the first.
_base_ = 'gru-streams.py'

backbone_name = 'gru-streams-common'
bodies = dict(_delete_=True, layout='common15', num_persons=1, in_channels=3)
encoder = dict(_base_.encoder, layout='common15', num_persons=1, in_channels=3)
model = dict(backbone=dict(encoder=encoder))
prepare = [dict(type='mmact_ssl.ToCommonJoints'), _base_.normalize]
resample = dict(_base_.resample, num_frames=16)
crop, *move = _base_.augment
augment = [dict(crop, num_frames=16), *move, *_base_.flip]
one_person = dict(type='mmaction.FormatGCNInput', num_person=1)
format_streams = [_base_.make_streams, one_person, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=[*prepare, *augment, *format_streams]))
test_dataloader = dict(dataset=dict(pipeline=[*prepare, resample, *format_streams]))
