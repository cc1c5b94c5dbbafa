# Is a general model of videos worth it? Pre-training on all sets but one, tested on that one, with
# few labels; against the network that all trainings start from, trained on ImageNet.
dataset = 'videos'
seeds = (0,)
labeled = ('jhmdb', 'utdmhad', 'arid', 'demo')
encoder = 'tsm-lite0'


def on(name):
    path = 'research/configs/_base_/arid.py' if name == 'arid' else name
    return dict(protocols='fewshot,knn', encoder=encoder, set=path, dataset=name)


runs = [
    dict(
        method='DTG-Net TSM joined sets',
        variant=f'without-{name}',
        pretrain=f'configs/dtg_tsm-lite0_videos-without-{name}.py',
        set='jhmdb',
        evaluations=[on(name)],
    )
    for name in labeled
]
runs += [dict(method='ImageNet start', evaluations=[on(name) for name in labeled])]
