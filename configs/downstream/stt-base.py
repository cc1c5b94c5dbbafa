# MAMP's transformer over joints in mmaction2's recognizer of skeletons: clips of 120 frames.
_base_ = ['../_base_/students/stt-base.py', '../_base_/downstream/stt.py']

model = dict(backbone=dict(_base_.backbone, **_base_.joints), cls_head=dict(in_channels=256))
crop = dict(_base_.crop, num_frames=120)
resample = dict(_base_.resample, num_frames=120)
train_dataloader = dict(
    dataset=dict(pipeline=[_base_.normalize, crop, *_base_.move, *_base_.formatted])
)
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, resample, *_base_.formatted]))
