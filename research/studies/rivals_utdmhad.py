# Every family and the papers of video on UTD-MHAD (depth video) under one budget of 780 steps of 16
# clips, which is that of dtg_r3d_utdmhad.py, against the random start, on the small R3D-18 and the
# small vision transformer, by the configs' own rates.
_base_ = '_base_/rivals.py'

dataset = 'utdmhad'
seeds = (0, 1, 2)

steps, warm_up = 780, 26
budget = [
    *_base_.in_steps,
    f'train_cfg.max_iters={steps}',
    f'param_scheduler.0.end={warm_up}',
    f'param_scheduler.1.begin={warm_up}',
    f'param_scheduler.1.end={steps}',
    'train_dataloader.batch_size=16',
]


def evaluations(student):
    downstream = dict(encoder=student, set=dataset)
    return [
        dict(protocols='linear,knn', **downstream),
        dict(protocols='linear', **downstream, label_fraction=0.1),
    ]


def rival(method, config, student):
    """A run of a config under the budget, with its pretext tasks, named by the budget."""
    return dict(
        method=method,
        variant=f'{steps}-steps',
        pretrain=f'configs/{config}.py',
        set=dataset,
        cfg_options=budget,
        evaluations=[dict(protocols='pretext'), *evaluations(student)],
    )


convolutional = [
    *(rival(name, f'{key}_r3d18-small', 'r3d18-small') for key, name in _base_.names.items()),
    *(
        rival(name, f'{name.lower().split("-")[0]}_r3d_utdmhad', 'r3d18-small')
        for name in ('CSVR', 'DTG-Net', 'HCPG')
    ),
]
starts = [
    dict(method='Random init', evaluations=evaluations('r3d18-small')),
    dict(method='Random init', variant='vit-tiny', evaluations=evaluations('vit-tiny')),
]
transformer = [
    rival('VideoMAE', 'videomae_vit-tiny', 'vit-tiny'),
    rival('Latent prediction', 'latent_vit-tiny', 'vit-tiny'),
]
runs = [*starts, *convolutional, *transformer]
