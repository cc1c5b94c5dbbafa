# The GRUs over streams in mmaction2's recognizer of skeletons: mean and maximum over a clip's
# frames, a linear layer. The backbone pools as in pre-training, to one frame.
_base_ = [
    '../_base_/students/gru-streams.py',
    '../_base_/downstream/skeleton.py',
    '../_base_/schedules/finetune_streams.py',
]

encoder = dict(_base_.encoder, pool='mean_max', **_base_.bodies)
model = dict(
    backbone=dict(_base_.backbone, encoder=encoder), cls_head=dict(in_channels=768, dropout=0.5)
)
# Clips of 32 frames as joints, bones and motion, as in pre-training. Frozen features have no
# augmentation; fine-tuning crops, rotates, shears and, unless left and right differ, mirrors.
resample = dict(type='mmact_ssl.ResampleFrames', num_frames=32)
augment = [
    dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='mmact_ssl.RandomRotation', degrees=30),
    dict(type='mmact_ssl.RandomShear', amplitude=0.3),
]
flip = [dict(type='mmact_ssl.SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
make_streams = dict(type='mmact_ssl.BonesAndMotion', motion_scale=10)
format_streams = [make_streams, _base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, *augment, *flip, *format_streams]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, resample, *format_streams]))
