# HCPG on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames at two speeds,
# contrasted with the keys of a momentum encoder in a queue.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/r3d18.py', '_base_/methods/hcpg.py']

queue = dict(queue_size=16_384)
model = dict(
    backbone=_base_.backbone,
    encode=('clip',),
    momentum_encoder=dict(views=('clip_b',), momentum=0.999),
    heads=dict(appearance=queue, motion=queue),
)
train_dataloader = dict(dataset=_base_.train_set)
