# The GRUs over streams in mmaction2's recognizer of skeletons: mean and maximum over a clip's
# frames, a linear layer.
_base_ = '../students/skeleton_gru_streams.py'

backbone_name = 'gru-streams'
custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    backbone=dict(encoder=dict(pool='mean_max')),
    cls_head=dict(type='mmaction.GCNHead', in_channels=768, dropout=0.5),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
)
# The backbone pools as in pre-training: what is left is one frame.
feature_pooling = dict(type='mmact_ssl.SkeletonPooling')
