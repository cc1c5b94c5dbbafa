# The GRUs over streams, with features averaged over six copies of a clip: unchanged and rotated by
# -30 and 30 degrees, each also mirrored; over three if left and right differ. For frozen features;
# not comparable with papers' numbers.
_base_ = 'mmact_ssl::downstream/gru-streams.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.turned_copies'])

backbone_name = 'gru-streams-copies'
bones, *rest = _base_.format_streams
copies = dict(type='mmact_ssl.TurnedCopies', degrees=(-30, 0, 30), transforms=[bones])
if not _base_.get('flip_ratio', 0.5):
    copies.update(mirror=False)
pipeline = [_base_.normalize, _base_.resample, copies, *rest]
test_dataloader = dict(dataset=dict(pipeline=pipeline))
optim_wrapper = None
