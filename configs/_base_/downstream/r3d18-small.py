# The small R3D-18 in mmaction2's recognizer: clips of 8 frames at 64x64.
_base_ = ['../students/r3d18-small.py', 'video.py']

model = dict(
    type='mmaction.Recognizer3D',
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.I3DHead', in_channels=128),
    data_preprocessor=dict(format_shape='NCTHW'),
)
sample = dict(
    type='mmaction.SampleFrames',
    clip_len=8,
    frame_interval=2,
    out_of_bound_opt='repeat_last',
)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
]
flip = dict(type='mmaction.Flip', flip_ratio=0.5)
# Three clips, spread evenly: their features, or their scores, are averaged.
sample_test = dict(sample, num_clips=3, test_mode=True)
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 64)),
    dict(type='mmaction.CenterCrop', crop_size=64),
]
pack = [
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, flip, *pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *pack]
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
