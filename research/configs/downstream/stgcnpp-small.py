# The small ST-GCN++ in mmaction2's recognizer of skeletons, on joints and bones.
_base_ = [
    '../_base_/stgcnpp-small.py',
    'mmact_ssl::_base_/downstream/skeleton.py',
    'mmact_ssl::_base_/schedules/finetune_streams.py',
]

network = dict(_base_.backbone.network, in_channels=2 * _base_.bodies.get('in_channels', 3))
model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout, network=network),
    cls_head=dict(in_channels=96, dropout=0.5),
)
# As gru-streams.py: no augmentation of frozen features; fine-tuning crops, rotates, shears,
# mirrors. Every clip has 64 frames, or as many as its set gives.
resample = dict(type='mmact_ssl.ResampleFrames', num_frames=_base_.get('clip_frames', 64))
augment = [
    dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames=resample['num_frames']),
    dict(type='mmact_ssl.RandomRotation', degrees=30),
    dict(type='mmact_ssl.RandomShear', amplitude=0.3),
]
flip = [dict(type='mmact_ssl.SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
make_streams = dict(type='mmact_ssl.BonesAndMotion', streams=('joint', 'bone'))
format_streams = [make_streams, _base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, *augment, *flip, *format_streams]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.normalize, resample, *format_streams]))
