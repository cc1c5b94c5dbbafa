# EfficientNet-Lite0 with the temporal shift, and beside its features (2560,) the descriptor of
# motion (768,), of pairs of frames spread over the clip. Any weights of tsm-lite0 fit.
_base_ = 'tsm-lite0.py'

encoder = dict(
    name='tsm-lite0-motion',
    # Chosen on JHMDB's training clips; the center is their mean.
    motion=dict(channels=768, weight=0.5, center=(0.042, 0.029, 0.028, 0.047, 0.022, 0.021)),
    clip=[
        *_base_.encoder.clip[:2],
        dict(type='mmact_ssl.SampleMotion', num_pairs=16),
        dict(type='mmact_ssl.DescribeMotion'),
        *_base_.encoder.clip[2:-1],
        dict(type='mmaction.PackActionInputs', meta_keys=('motion',)),
    ],
)
