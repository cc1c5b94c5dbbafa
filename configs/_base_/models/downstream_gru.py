# The GRU in mmaction2's recognizer of skeletons: the mean over a clip's frames, a linear layer.
_base_ = '../students/skeleton_gru.py'

backbone_name = 'gru'
custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    backbone=dict(pool='mean'),
    cls_head=dict(type='mmaction.GCNHead', in_channels=600, dropout=0.0),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
)
# Frozen features are pooled as in pre-training.
feature_pooling = dict(type='mmact_ssl.SkeletonPooling')
