# AAGCN in mmaction2's recognizer of skeletons.
_base_ = [
    '../_base_/students/aagcn.py',
    '../_base_/downstream/graph.py',
    '../_base_/schedules/finetune_skeleton.py',
]

network = dict(_base_.backbone.network, num_person=_base_.bodies.num_persons)
model = dict(backbone=dict(_base_.backbone, network=network))
