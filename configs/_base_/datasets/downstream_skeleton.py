# Whole clips, normalized as in pre-training and padded with zeros at the end to the set's longest;
# a set's own file names folders.
train_pipeline = [
    dict(type='mmact_ssl.NormalizeSkeleton', mode='first_frame'),
    dict(type='PadFrames', num_frames=0),
    dict(type='mmaction.FormatGCNInput', num_person=1),
    dict(type='mmaction.PackActionInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmact_ssl.SkeletonDataset', pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmact_ssl.SkeletonDataset', pipeline=train_pipeline, test_mode=True),
)
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
