# The package's best recipe for skeletons, on your own (--data DIR), or --set nwucla or another set:
# MS2L's contrast between two augmented views, separately for joints, bones and motion.
_base_ = ['encoders/gru-streams.py', '_base_/methods/ms2l-twoview.py']

backbone = _base_.encoder.backbone
model = dict(backbone=dict(backbone, encoder=dict(backbone.encoder, pool=None)))
