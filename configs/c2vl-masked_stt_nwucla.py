# C2VL and MAMP's masked motion together on NW-UCLA (views 1 and 2), with sentences from the joints'
# motion.
_base_ = ['_base_/sets/nwucla.py', '_base_/students/stt.py', '_base_/methods/c2vl-masked.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
