resize = dict(type='mmaction.Resize', scale=('$side', '$side'), keep_ratio=False)
# For tools/test.py: pretext tasks on held-out videos.
decode_test = dict(type='DecodeViews', short_side='$side')
center_crop = dict(type='mmaction.CenterCrop', crop_size='$side')
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PretextVideoDataset', test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
