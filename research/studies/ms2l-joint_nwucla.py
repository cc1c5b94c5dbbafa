# Joint and moving strategies on NW-UCLA against the same loop without pretext tasks, with a tenth
# of the labels and with all: with MS2L's three tasks, with the contrast of two views, and with that
# of two cameras, whose clips of a performance share a label.
dataset = 'nwucla'
seeds = (0, 1, 2, 3, 4)

tasks = [f'model.heads.{task}=None' for task in ('motion', 'jigsaw', 'contrast')]
alone = [*tasks, "model.encode=('clip',)"]
alone_twoview = ['model.heads.contrast=None', "model.encode=('one',)"]
alone_cameras = ['model.heads.contrast=None']

runs = [
    dict(
        method=method,
        variant='full' if fraction == 1 else f'labels-{100 * fraction:g}pct',
        pretrain=f'configs/{config}_gru.py',
        set=dataset,
        cfg_options=[
            *options,
            f'train_dataloader.dataset.label_fraction={fraction}',
            'train_dataloader.dataset.label_seed={seed}',
        ],
        evaluations=[
            dict(
                protocols='joint',
                encoder=encoder,
                set=dataset,
                label_fraction=fraction,
            )
        ],
    )
    for fraction in (0.1, 1.0)
    for method, config, encoder, options in (
        ('Supervised', 'ms2l-joint', 'gru', alone),
        ('MS2L joint', 'ms2l-joint', 'gru', []),
        ('MS2L moving', 'ms2l-moving', 'gru', []),
        ('Supervised streams', 'ms2l-twoview-joint', 'gru-streams', alone_twoview),
        ('MS2L two views joint', 'ms2l-twoview-joint', 'gru-streams', []),
        ('MS2L two views moving', 'ms2l-twoview-moving', 'gru-streams', []),
        ('Supervised two cameras', 'ms2l-cameras-joint', 'gru-streams', alone_cameras),
        ('MS2L two cameras joint', 'ms2l-cameras-joint', 'gru-streams', []),
        ('MS2L two cameras moving', 'ms2l-cameras-moving', 'gru-streams', []),
    )
]
