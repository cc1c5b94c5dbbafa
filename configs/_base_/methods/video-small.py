# Shared settings of the methods on video for two cores: views of 64x64.
crop = dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0))
resize = dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False)
flip = dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5)
decode = dict(type='DecodeViews', short_side=80)
decode_test = dict(type='DecodeViews', short_side=64)
center_crop = dict(type='mmaction.CenterCrop', crop_size=64)
# For tools/test.py: pretext tasks on held-out videos.
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PretextVideoDataset', test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
