# ST-GCN in mmaction2's recognizer of skeletons.
_base_ = [
    '../_base_/students/stgcn.py',
    '../_base_/downstream/graph.py',
    '../_base_/schedules/finetune_skeleton.py',
]

model = dict(backbone=_base_.backbone)
