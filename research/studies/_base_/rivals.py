# What the studies of the rivals share: the rows' names, and a training counted in steps.
names = dict(
    byol='BYOL',
    simsiam='SimSiam',
    dino='DINO',
    barlow='Barlow Twins',
    vicreg='VICReg',
    speed='Speed',
    order='Order',
)
in_steps = [
    'train_cfg._delete_=True',
    'train_cfg.type=StepsTrainLoop',
    *(
        f'param_scheduler.{part}.{key}=False'
        for part in (0, 1)
        for key in ('by_epoch', 'convert_to_iter_based')
    ),
]
