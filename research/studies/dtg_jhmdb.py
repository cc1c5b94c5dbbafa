# DTG-Net on JHMDB: the teachers, alone and together, and joint training against plain
# supervised training.
dataset = 'jhmdb'
seeds = (0, 1, 2)

pretrain = dict(pretrain='configs/dtg_r3d18-small.py', set='{dataset}')
joint = dict(pretrain='configs/dtg-joint_r3d18-small.py', set='{dataset}')
downstream = dict(encoder='r3d18-small', set='{dataset}')
frozen = dict(protocols='linear,knn,retrieval', **downstream)
guidance = 'model.heads.guidance'
no_guidance = f'{guidance}=None'
weights = f'{guidance}.weights'

dtg = dict(method='DTG-Net', **pretrain, evaluations=[frozen])
guided = [
    dict(method='Random init', evaluations=[frozen]),
    dict(dtg, evaluations=[dict(protocols='pretext'), frozen]),
    dict(dtg, variant='no-teacher', cfg_options=[no_guidance]),
]
# Joint training, and the same without guidance.
joint_training = [
    dict(
        method=method,
        variant='full' if fraction == 1 else f'labels-{100 * fraction:g}pct',
        **joint,
        cfg_options=[
            *options,
            f'train_dataloader.dataset.label_fraction={fraction}',
            'train_dataloader.dataset.label_seed={seed}',
        ],
        evaluations=[dict(protocols='joint', **downstream, label_fraction=fraction)],
    )
    for fraction in (0.1, 1.0)
    for method, options in (('Supervised', [no_guidance]), ('DTG-Net joint', []))
]
# One seed.
variants = [
    dict(dtg, variant=variant, cfg_options=options, seeds=(0,))
    for variant, options in (
        ('imagenet-alone', [f'{guidance}.teachers.pose=None']),
        ('pose-alone', [f'{guidance}.teachers.imagenet=None', f'{weights}.weights=None']),
        ('no-contrast', ['model.heads.contrast=None']),
        ('no-agreement', [f'{guidance}.agreement=0.0', f'{guidance}.contrast=1.0']),
        ('equal', [f'{weights}.weights.imagenet=1.0']),
        ('learned', [f'{weights}._delete_=True', f'{weights}.type=LearnedTeacherWeights']),
        ('confidence', [f'{weights}._delete_=True', f'{weights}.type=ConfidenceTeacherWeights']),
    )
]
runs = [*guided, *joint_training, *variants]
