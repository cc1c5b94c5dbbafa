# Clips of 16 frames at 112x112, as R3D-18 is usually judged; a set's own file names its folders.
train_pipeline = [
    dict(type='mmaction.DecordInit'),
    dict(
        type='mmaction.SampleFrames',
        clip_len=16,
        frame_interval=2,
        out_of_bound_opt='repeat_last',
    ),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs'),
]
# Three clips, spread evenly: their features, or their scores, are averaged.
test_pipeline = [
    dict(type='mmaction.DecordInit'),
    dict(
        type='mmaction.SampleFrames',
        clip_len=16,
        frame_interval=2,
        num_clips=3,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    ),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.Resize', scale=(-1, 128)),
    dict(type='mmaction.CenterCrop', crop_size=112),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    # New workers would be seeded alike in each epoch, and draw the same crops again.
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmaction.VideoDataset', pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmaction.VideoDataset', pipeline=test_pipeline, test_mode=True),
)
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
