# MS2L as published (arXiv 2010.05599): motion prediction, jigsaw and contrast on one GRU, summed.
# A task is switched off by `--cfg-options model.heads.motion=None` (or jigsaw, or contrast).
_base_ = '../students/skeleton_gru.py'

backbone_name = 'gru'
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor',
        views=('clip', 'masked', 'shuffled'),
        targets=('shuffled_permutation',),
    ),
    encode=('clip', 'masked', 'shuffled'),
    # The GRU has no batch statistics to mix, and one large batch is faster than three.
    encode_together=True,
    pooling=dict(type='SkeletonPooling'),
    # A GRU has no last layer through which everything passes: tasks are compared on all weights.
    shared_weights='',
    heads=dict(
        motion=dict(type='MotionPredictionHead', in_channels=600, layout='kinect20'),
        jigsaw=dict(type='JigsawHead', in_channels=600),
        contrast=dict(type='ContrastHead', in_channels=600),
    ),
)
