# The runs of rivals_utdmhad.py on JHMDB (RGB video); and DTG-Net with latent prediction on the
# student from ImageNet, by its own config, beside DTG-Net alone in tsm_jhmdb.py.
_base_ = 'rivals_utdmhad.py'

dataset = 'jhmdb'
mix = 'configs/dtg-latent_tsm-lite0_jhmdb.py'
tsm = dict(config='configs/downstream/tsm-lite0.py', set=dataset)
together = dict(
    method='DTG-Net + latent TSM',
    pretrain=mix,
    evaluations=[
        dict(protocols='pretext', config=mix),
        dict(protocols='linear,knn', **tsm),
        dict(protocols='linear', **tsm, label_fraction=0.1),
    ],
)
runs = [*_base_.runs, together]
