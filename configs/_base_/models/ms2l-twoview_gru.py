# MS2L's contrast between two augmented views of a clip, of each stream for itself.
_base_ = '../students/skeleton_gru_streams.py'

backbone_name = 'gru-streams'
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='SkeletonDataPreprocessor', views=('one', 'two')),
    encode=('one', 'two'),
    # The GRUs have no batch statistics to mix, and one large batch is faster than two.
    encode_together=True,
    pooling=dict(type='SkeletonPooling', mode='mean_max', streams=3),
    # A GRU has no last layer through which everything passes: tasks are compared on all weights.
    shared_weights='',
    heads=dict(
        contrast=dict(
            type='ContrastHead',
            in_channels=768,  # mean and maximum of three streams
            streams=3,
            views=('one', 'two'),
            target='pair',
            temperature=0.1,
            self_similarity=None,
            hidden_dim=512,
            embedding_dim=128,
        ),
    ),
)
