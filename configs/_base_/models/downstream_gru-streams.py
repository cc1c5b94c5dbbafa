# The GRU over streams in mmaction2's recogniser of skeletons: mean and maximum over a clip's
# frames, a linear layer.
_base_ = '../students/skeleton_gru_streams.py'

backbone_name = 'gru-streams'
custom_imports = dict(imports=['mmact_ssl'])
model = dict(
    type='mmaction.RecognizerGCN',
    backbone=dict(pool='mean_max'),
    cls_head=dict(type='mmaction.GCNHead', in_channels=512, dropout=0.5),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
)
# The backbone pools as in pre-training: what is left is one frame.
feature_pooling = dict(type='mmact_ssl.SkeletonPooling')
