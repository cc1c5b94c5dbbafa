# Latent prediction after V-JEPA (arXiv 2404.08471) and data2vec (arXiv 2202.03555) for skeletons on
# the small transformer over joints: the step of latent_vit-tiny.py on the masks and views of
# mamp_stt.py. Our choice.
_base_ = 'mamp_stt.py'

model = dict(
    momentum_encoder=dict(views=_base_.views, momentum=0.99),
    heads=dict(
        _delete_=True,
        latent=dict(
            type='LatentPredictionHead',
            in_channels=128,
            skeletons=True,
            hidden_dim=64,
            depth=2,
            num_heads=4,
        ),
    ),
)
