# MS2L on NW-UCLA with the published hyper-parameters, and contrast between two augmented views;
# against random encoders and supervised training; and transfer to other sets of the same joints.
dataset = 'nwucla'
seeds = (0, 1, 2)
five = (0, 1, 2, 3, 4)

transfer_to = ('utdmhad-skeleton', 'msraction3d', 'utkinect')


def evaluations(encoder, frozen_protocols, few_labels='linear'):
    downstream = dict(encoder=encoder, set='{dataset}')
    return [
        dict(protocols=frozen_protocols, **downstream),
        dict(protocols=few_labels, **downstream, label_fraction=0.1),
        dict(protocols='finetune', **downstream, label_fraction=0.1),
        # Fine-tuning a random encoder is supervised training from scratch.
        dict(protocols='finetune', **downstream),
    ]


published = evaluations('gru', 'linear,knn,retrieval')
streams = evaluations('gru-streams', 'linear,lda,knn,retrieval', 'linear,lda')
# The same students, with six rotated and mirrored copies of each clip.
averaged = dict(encoder='gru-streams-copies', set=dataset)
copies = [
    dict(protocols='linear,lda,knn', **averaged, variant='copies'),
    dict(protocols='linear,lda', **averaged, variant='copies', label_fraction=0.1),
]
# Both cameras' clips of a performance share a label.
shared_labels = dict(
    protocols='linear,lda',
    encoder='gru-streams-copies-shared-labels',
    # a01_s01_e00_v01 and a01_s01_e00_v02 show one performance.
    cfg_options=[r'shared_label_pattern="(.+)_v\d+$"'],
    set=dataset,
    variant='copies-shared-labels',
    label_fraction=0.1,
)
# Frozen features of the fine-tuned network.
alone = dict(protocols='lda', **averaged, variant='copies-fine-tuned', finetuned=True)
from_scratch = dict(alone, method='From scratch', variant='copies')
transfer = [dict(streams[0], protocols='linear', set=name, dataset=name) for name in transfer_to]
ms2l = dict(pretrain='configs/ms2l_gru.py', set=dataset)
pretext = dict(protocols='pretext')

runs = [
    dict(
        method='MS2L two views',
        pretrain='configs/ms2l-twoview_gru.py',
        set=dataset,
        evaluations=[pretext, *streams, *copies, *transfer],
        seeds=five,
    ),
    dict(
        method='MS2L two cameras',
        pretrain='configs/ms2l-cameras_gru.py',
        set=dataset,
        evaluations=[
            pretext,
            dict(streams[0], protocols='linear,lda,knn'),
            *streams[1:],
            *copies,
            alone,
            shared_labels,
        ],
        seeds=five,
    ),
    dict(
        method='Random init',
        variant='streams',
        evaluations=[*streams, *copies, from_scratch, shared_labels, *transfer],
        seeds=five,
    ),
    dict(method='MS2L', **ms2l, evaluations=[pretext, *published]),
    dict(method='Random init', evaluations=published),
]
# One seed: each costs as much as a whole run.
runs += [
    dict(
        method='MS2L',
        variant=f'no-{task}',
        **ms2l,
        cfg_options=[f'model.heads.{task}=None'],
        evaluations=published[:1],
        seeds=(0,),
    )
    for task in ('motion', 'jigsaw', 'contrast')
]
