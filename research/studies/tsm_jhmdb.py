# Students that start from ImageNet on JHMDB: pre-trained by DTG-Net, CSVR and HCPG, against the
# frozen start, with all labels and a tenth of them, fine-tuned by one recipe; and joint training
# against fine-tuning the start, which is supervised training from there.
dataset = 'jhmdb'
seeds = (0, 1, 2)

downstream = dict(encoder='tsm-lite0', set=dataset)
dtg, csvr, hcpg, joint = (
    dict(pretrain=f'configs/{method}_tsm-lite0.py', set=dataset)
    for method in ('dtg', 'csvr', 'hcpg', 'dtg-joint')
)

frozen = dict(protocols='linear,knn,retrieval', **downstream)
few_labels = dict(protocols='linear', **downstream, label_fraction=0.1)
tuned = dict(protocols='finetune', **downstream)
evaluations = [frozen, few_labels, dict(tuned, label_fraction=0.1), tuned]

start = dict(method='ImageNet start', evaluations=evaluations)
students = [
    dict(method=method, **config, evaluations=[dict(protocols='pretext'), *evaluations])
    for method, config in (('DTG-Net TSM', dtg), ('CSVR TSM', csvr), ('HCPG TSM', hcpg))
]
# HCPG with the conflict of its tasks' gradients, as in hcpg_jhmdb.py.
students[2].update(
    hooks=[
        f'default_hooks.gradient_conflict.{setting}'
        for setting in (
            'type=research.gradient_conflict.GradientConflictHook',
            'interval=20',
        )
    ]
)
students[2]['evaluations'][0].update(program='research/gradient_conflict.py')
# HCPG with one representation for all of its tasks.
shared = dict(
    students[2],
    variant='shared',
    cfg_options=['model.adapters.motion=appearance', 'model.adapters.parsing=appearance'],
)
# Guidance has all videos, recognition those with a label.
joint_training = [
    dict(
        method='DTG-Net TSM joint',
        variant='full' if fraction == 1 else f'labels-{100 * fraction:g}pct',
        **joint,
        cfg_options=[
            f'train_dataloader.dataset.label_fraction={fraction}',
            'train_dataloader.dataset.label_seed={seed}',
        ],
        evaluations=[dict(protocols='joint', **downstream, label_fraction=fraction)],
    )
    for fraction in (0.1, 1.0)
]
# The same training without guidance, by labels alone.
supervised = dict(
    method='Supervised TSM',
    **joint,
    cfg_options=[f'model.heads.{task}=None' for task in ('guidance', 'frames')],
    evaluations=[dict(protocols='joint', **downstream)],
)
# The frozen network without the shift, as in its own training.
unshifted = dict(
    method='ImageNet start',
    variant='no-shift',
    evaluations=[dict(part, encoder='lite0') for part in (frozen, few_labels)],
    seeds=(0,),
)
# On larger frames, by their side in pixels, with caches extracted for them.
larger = []
for pixels, caches in ((160, 'every-4-int8'), (224, 'every-4')):
    on_larger = [dict(part, encoder=f'tsm-lite0,side={pixels}') for part in (frozen, few_labels)]
    student = f'configs/dtg_tsm-lite0-{pixels}.py'
    larger += [
        dict(method='ImageNet start', variant=f'{pixels}px', evaluations=on_larger),
        dict(
            method='DTG-Net TSM',
            variant=f'{caches}-{pixels}px',
            pretrain=student,
            set=dataset,
            evaluations=on_larger,
        ),
    ]
runs = [start, unshifted, *students, shared, *joint_training, supervised, *larger]
