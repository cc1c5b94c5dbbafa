# The GRUs over streams, read from six copies of a clip: as it is and turned by 30 degrees either
# way, each mirrored too. The linear probe is trained on all copies; features are otherwise the mean
# over them. For frozen features; not comparable with papers' numbers.
_base_ = 'gru-streams.py'

backbone_name = 'gru-streams-copies'
feature_clips = True
bones, *rest = _base_.format_streams
copies = dict(type='mmact_ssl.TurnedCopies', degrees=(-30, 0, 30), transforms=[bones])
pipeline = [_base_.normalize, _base_.resample, copies, *rest]
test_dataloader = dict(dataset=dict(pipeline=pipeline))
