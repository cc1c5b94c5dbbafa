# The head of latent prediction (latent.py has its step) on the small vision transformer, and its
# momentum copy.
momentum_encoder = dict(views=('clip',), momentum=0.99)
latent_heads = dict(
    _delete_=True,
    latent=dict(type='LatentPredictionHead', in_channels=192, hidden_dim=96, depth=2, num_heads=2),
)
