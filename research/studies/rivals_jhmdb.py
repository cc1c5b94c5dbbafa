# DTG-Net, alone and mixed, and the rivals on JHMDB (RGB video) under one budget, 336 steps of
# 8 videos, on the student from ImageNet; the start is in tsm_jhmdb.py. From scratch no task of the
# papers is told from the random start here (research/pages/rivals.md).
_base_ = '_base_/rivals.py'

dataset = 'jhmdb'
seeds = (0, 1, 2)

downstream = dict(encoder='tsm-lite0', set=dataset)
evaluations = [
    dict(protocols='pretext'),
    dict(protocols='linear,knn', **downstream),
    dict(protocols='linear', **downstream, label_fraction=0.1),
]


def rival(key):
    """A run of a rival's config, which has this budget."""
    return dict(
        method=f'{_base_.names[key]} TSM',
        pretrain=f'configs/{key}_tsm-lite0.py',
        set=dataset,
        evaluations=evaluations,
    )


guided = [
    dict(method=f'{name} TSM', **more, pretrain=config, set=dataset, evaluations=evaluations)
    for name, config, more in (
        ('DTG-Net', 'configs/dtg_tsm-lite0.py', dict(variant='336-steps')),
        ('DTG-Net + latent', 'configs/dtg-latent_tsm-lite0.py', dict()),
    )
]
runs = [*guided, *(rival(key) for key in ('byol', 'barlow', 'speed', 'order'))]
