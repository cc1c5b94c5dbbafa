# ST-GCN in mmaction2's recognizer of skeletons.
_base_ = '../students/stgcn.py'

backbone_name = 'stgcn'
custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    cls_head=dict(type='mmaction.GCNHead', in_channels=256),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
)
# Frozen features are pooled as in pre-training.
feature_pooling = dict(type='mmact_ssl.SkeletonPooling')
