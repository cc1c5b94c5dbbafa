# Every family on NW-UCLA under one budget of 240 steps of 32 clips, against the random start, on
# GRUs over streams and on the small transformer. The rates are those of two trials each, by
# cross-validation on training clips; MS2L + MAMP had six (research/pages/rivals.md).
_base_ = '_base_/rivals.py'

dataset = 'nwucla'
seeds = (0, 1, 2)

steps, warm_up = 240, 20
budget = [
    *_base_.in_steps,
    f'train_cfg.max_iters={steps}',
    f'param_scheduler.0.end={warm_up}',
    f'param_scheduler.1.begin={warm_up}',
    f'param_scheduler.1.end={steps}',
    'train_dataloader.batch_size=32',
    # Keep the last 28 clips of an epoch: 1,020 clips are 32 batches.
    'train_dataloader.drop_last=False',
    # Starting workers would take longer than their work.
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
]


def evaluations(student):
    downstream = dict(encoder=student, set=dataset)
    # A step of the transformer takes five times as long.
    few_labels = 'linear,finetune' if student == 'gru-streams' else 'linear'
    return [
        dict(protocols='linear,knn', **downstream),
        dict(protocols=few_labels, **downstream, label_fraction=0.1),
    ]


def rival(method, config, student, rate):
    """A run of a config under the budget, with its pretext tasks, named by student and budget."""
    return dict(
        method=method,
        variant=f'{steps}-steps' if student == 'gru-streams' else f'{student}-{steps}-steps',
        pretrain=f'configs/{config}.py',
        set=dataset,
        cfg_options=[*budget, f'optim_wrapper.optimizer.lr={rate}'],
        evaluations=[dict(protocols='pretext'), *evaluations(student)],
    )


rates = dict(byol=3e-3, simsiam=1e-3, dino=1e-3, barlow=3e-3, vicreg=3e-3, speed=3e-3, order=1e-3)
gru = [
    rival('MS2L two views', 'ms2l-twoview_gru', 'gru-streams', 1e-3),
    *(rival(_base_.names[key], f'{key}_gru', 'gru-streams', rate) for key, rate in rates.items()),
]
five = (0, 1, 2, 3, 4)
# Three seeds do not tell these two apart.
closest = [
    rival('MS2L two views', 'ms2l-twoview_stt', 'stt', 1e-3),
    rival('MS2L + MAMP', 'ms2l-masked_stt', 'stt', 1e-3),
]
transformer = [
    *(dict(run, seeds=five) for run in closest),
    rival('MAMP', 'mamp_stt', 'stt', 3e-3),
    rival('Latent prediction', 'latent_stt', 'stt', 1e-3),
    rival('VICReg + MAMP', 'vicreg-masked_stt', 'stt', 1e-3),
]
# The random GRUs are in ms2l_nwucla.py.
start = dict(method='Random init', variant='stt', evaluations=evaluations('stt'), seeds=five)
runs = [*gru, start, *transformer]
