# Students that start from ImageNet on JHMDB: pre-trained by DTG-Net and by HCPG, against the frozen
# start, with all labels and a tenth of them, and fine-tuned by one recipe.
dataset = 'jhmdb'
seeds = (0, 1, 2)

downstream = 'configs/downstream/linear_tsm-lite0_{dataset}.py'
tuning = 'configs/downstream/finetune_tsm-lite0_{dataset}.py'
dtg = 'configs/dtg_tsm-lite0_{dataset}.py'
hcpg = 'configs/hcpg_tsm-lite0_{dataset}.py'

frozen = dict(protocols='linear,knn,retrieval', config=downstream)
few_labels = dict(protocols='linear', config=downstream, label_fraction=0.1)
tuned = dict(protocols='finetune', config=tuning, label_fraction=0.1)
evaluations = [frozen, few_labels, tuned]

start = dict(method='ImageNet start', evaluations=evaluations)
students = [
    dict(
        method=method,
        pretrain=config,
        evaluations=[dict(protocols='pretext', config=config), *evaluations],
    )
    for method, config in (('DTG-Net TSM', dtg), ('HCPG TSM', hcpg))
]
# The frozen network without the shift, which it was not trained with.
unshifted = dict(
    method='ImageNet start',
    variant='no-shift',
    evaluations=[
        dict(part, cfg_options=['model.backbone.num_segments=1', 'backbone_name=lite0'])
        for part in (frozen, few_labels)
    ],
    seeds=(0,),
)
runs = [start, unshifted, *students]
