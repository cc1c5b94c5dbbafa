# CSVR on UTD-MHAD: what each branch gives, against a random encoder and
# supervised training.
dataset = 'utdmhad'
seeds = (0,)

pretrain = 'configs/csvr_r3d_utdmhad.py'
pretext = dict(protocols='pretext', config=pretrain)
frozen = dict(protocols='linear,knn,retrieval', config='configs/downstream/linear_r3d_utdmhad.py')
finetune = dict(protocols='finetune', config='configs/downstream/finetune_r3d_utdmhad.py')
few_labels = dict(**finetune, label_fraction=0.1)

runs = [
    dict(method='Random init', evaluations=[frozen, few_labels]),
    dict(method='CSVR', pretrain=pretrain, evaluations=[pretext, frozen, few_labels]),
    # Fine-tuning a random encoder is supervised training from scratch.
    dict(method='Random init', evaluations=[finetune], seeds=(0,)),
]
