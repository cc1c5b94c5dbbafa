# The GRU in mmaction2's recognizer of skeletons: the mean over a clip's frames, a linear layer.
_base_ = ['../students/gru.py', 'skeleton.py']

model = dict(
    backbone=dict(_base_.backbone, pool='mean'),
    cls_head=dict(in_channels=600, dropout=0.0),
)
