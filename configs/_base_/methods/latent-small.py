# Latent prediction (latent.py has its step) on the small vision transformer, for two cores.
_base_ = 'videomae-small.py'

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=0.99),
    heads=dict(
        _delete_=True,
        latent=dict(
            type='LatentPredictionHead', in_channels=192, hidden_dim=96, depth=2, num_heads=2
        ),
    ),
)
