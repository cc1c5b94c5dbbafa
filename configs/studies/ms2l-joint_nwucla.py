# MS2L's joint and moving strategies on NW-UCLA against the same loop without pretext tasks, with a
# tenth of the labels and with all.
dataset = 'nwucla'
seeds = (0, 1, 2)

downstream = 'configs/downstream/linear_gru_{dataset}.py'
joint = 'configs/ms2l-joint_gru_{dataset}.py'
moving = 'configs/ms2l-moving_gru_{dataset}.py'
alone = [f'model.heads.{task}=None' for task in ('motion', 'jigsaw', 'contrast')]

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
        ('Supervised', joint, [*alone, "model.encode=('clip',)"]),
        ('MS2L joint', joint, []),
        ('MS2L moving', moving, []),
    )
]
