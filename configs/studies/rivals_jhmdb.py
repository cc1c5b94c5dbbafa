# The rivals and mixes on JHMDB (RGB video) under the budget of dtg_tsm-lite0_jhmdb.py, 336 steps of
# 8 videos, on the student from ImageNet; the start and DTG-Net alone are in tsm_jhmdb.py. From
# scratch no task of the papers is told from the random start here (docs/research/rivals.md).
_base_ = '../_base_/studies/rivals.py'

dataset = 'jhmdb'
seeds = (0, 1, 2)

downstream = dict(config='configs/downstream/tsm-lite0.py', set=dataset)
evaluations = [
    dict(protocols='linear,knn', **downstream),
    dict(protocols='linear', **downstream, label_fraction=0.1),
]


def rival(key):
    """A run of a rival's config, which has this budget."""
    config = dict(config=f'configs/{key}_tsm-lite0.py', set=dataset)
    return dict(
        method=f'{_base_.names[key]} TSM',
        pretrain=config['config'],
        set=dataset,
        evaluations=[dict(protocols='pretext', **config), *evaluations],
    )


mix = 'configs/dtg-latent_tsm-lite0_jhmdb.py'
together = dict(
    method='DTG-Net + latent TSM',
    pretrain=mix,
    evaluations=[dict(protocols='pretext', config=mix), *evaluations],
)
runs = [together, *(rival(key) for key in ('byol', 'barlow', 'speed', 'order'))]
