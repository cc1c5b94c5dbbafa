# Two clips of 8 frames at 112x112, one from each of 8 equal parts of the video, for EfficientNet-
# Lite0 with the temporal shift, which starts from ImageNet; on the set of --set or the prepared
# folder of --data; sized for two cores.
_base_ = ['mmact_ssl::_base_/views/tsm.py', 'mmact_ssl::_base_/rivals/clips.py']

head_sizes = dict(in_channels=1280)
model = dict(backbone=_base_.encoder.backbone, frame_wise=True)
sample_views = dict(type='SampleViews', clip=_base_.clip, clip_b=_base_.clip)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_clip = [_base_.decode, dict(type='TransformViews', views=('clip',), transforms=augment)]
make_views = [*make_clip, dict(type='TransformViews', views=('clip_b',), transforms=augment)]
center_crop = [_base_.center_crop]
make_test_clip = [
    _base_.decode_test,
    dict(type='TransformViews', views=('clip',), transforms=center_crop),
]
make_test_views = [
    *make_test_clip,
    dict(type='TransformViews', views=('clip_b',), transforms=center_crop),
]
train_pipeline = [sample_views, *make_views, _base_.pack]
# Clips are drawn in tests too: with test_mode they would be the first and the last of the video.
test_pipeline = [sample_views, *make_test_views, _base_.pack]
train_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(_base_.train_set, pipeline=train_pipeline)
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# As many steps as DTG-Net takes on JHMDB.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=336)
warmup = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=336)
param_scheduler = [warmup, cosine]
# At DTG-Net's rate, ten times as high, the features of all clips become alike.
optim_wrapper = dict(optimizer=dict(lr=5e-5))
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
