# Two clips of 8 frames at 112x112, one from each of 8 equal parts of the video, for EfficientNet-
# Lite0 with the temporal shift, which starts from ImageNet; on the set of --set or the prepared
# folder of --data; sized for two cores.
_base_ = [
    '{{$MMACT_SSL_SET:../sets/folder.py}}',
    '../students/tsm-lite0.py',
    'clips.py',
    '../methods/video-small.py',
]

head_sizes = dict(in_channels=1280)
model = dict(backbone=_base_.backbone, data_preprocessor=_base_.normalization, frame_wise=True)
clip = dict(num_frames=8, segments=True, stride=None)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
# Some sets have a camera that stands still, or actions that differ in left and right.
flip = dict(_base_.flip, flip_ratio=_base_.get('flip_ratio', 0.5))
resize = dict(_base_.resize, scale=(112, 112))
augment = [_base_.get('gentle_crop', _base_.crop), resize, flip, _base_.jitter]
make_clip = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
]
make_views = [*make_clip, dict(type='TransformViews', views=('clip_b',), transforms=augment)]
center_crop = dict(type='mmaction.CenterCrop', crop_size=112)
make_test_clip = [
    dict(type='DecodeViews', short_side=112),
    dict(type='TransformViews', views=('clip',), transforms=[center_crop]),
]
make_test_views = [
    *make_test_clip,
    dict(type='TransformViews', views=('clip_b',), transforms=[center_crop]),
]
train_pipeline = [sample_views, *make_views, _base_.pack]
test_pipeline = [sample_views, *make_test_views, _base_.pack]
train_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(_base_.train_set, pipeline=train_pipeline)
)
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
# As many steps as DTG-Net takes on JHMDB.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=336)
warmup = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=336)
param_scheduler = [warmup, cosine]
# At DTG-Net's rate, ten times as high, the features of all clips become alike.
optim_wrapper = dict(optimizer=dict(lr=5e-5))
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
