# The package's best recipe for skeletons, on your own (--data DIR), or --set nwucla or another set:
# MS2L's contrast between two augmented views, separately for joints, bones and motion.
_base_ = ['_base_/students/gru-streams.py', '_base_/methods/ms2l-twoview.py']

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
