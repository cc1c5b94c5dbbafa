# MS2L's tasks on ST-GCN, or on another graph network of 256 channels.
_base_ = '../students/stgcn.py'

backbone_name = 'stgcn'
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor',
        views=('clip', 'masked', 'shuffled'),
        targets=('shuffled_permutation',),
    ),
    encode=('clip', 'masked', 'shuffled'),
    # Each view has batch statistics of its own.
    encode_together=False,
    pooling=dict(type='SkeletonPooling'),
    heads=dict(
        motion=dict(type='MotionPredictionHead', in_channels=256, layout='kinect20'),
        jigsaw=dict(type='JigsawHead', in_channels=256),
        contrast=dict(type='ContrastHead', in_channels=256),
    ),
)
