# Latent prediction on UTD-MHAD (real depth video), sized for two cores: the views of
# videomae_vit-tiny_utdmhad.py.
_base_ = [
    'mmact_ssl::videomae_vit-tiny_utdmhad.py',
    'mmact_ssl::_base_/methods/latent-head-small.py',
]

model = dict(momentum_encoder=_base_.momentum_encoder, heads=_base_.latent_heads)
