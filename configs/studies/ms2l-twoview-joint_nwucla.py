# The joint and moving strategies with the contrast of two views on NW-UCLA against the same loop
# without it, with a tenth of the labels and with all.
_base_ = 'ms2l-joint_nwucla.py'

downstream = 'configs/downstream/linear_gru-streams_{dataset}.py'
joint = 'configs/ms2l-twoview-joint_gru_{dataset}.py'
moving = 'configs/ms2l-twoview-moving_gru_{dataset}.py'
alone = ['model.heads.contrast=None', "model.encode=('one',)"]

runs = [
    dict(
        method=method,
        variant='full' if fraction == 1 else f'labels-{100 * fraction:g}pct',
        pretrain=pretrain,
        cfg_options=[
            *options,
            f'train_dataloader.dataset.label_fraction={fraction}',
            'train_dataloader.dataset.label_seed={seed}',
        ],
        evaluations=[dict(protocols='joint', config=downstream, label_fraction=fraction)],
    )
    for fraction in (0.1, 1.0)
    for method, pretrain, options in (
        ('Supervised, streams', joint, alone),
        ('MS2L two views joint', joint, []),
        ('MS2L two views moving', moving, []),
    )
]
