# Latent prediction (latent.py has its step) on the small vision transformer, for two cores.
_base_ = ['videomae-small.py', 'latent-head-small.py']

model = dict(momentum_encoder=_base_.momentum_encoder, heads=_base_.latent_heads)
