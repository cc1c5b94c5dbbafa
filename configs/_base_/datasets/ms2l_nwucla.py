# MS2L's views on NW-UCLA: the clip, without its last 30 %, and with its thirds in another order.
# As in the released run, coordinates are not normalised; unlike there, clips are shuffled.
dataset_name = 'nwucla'
data_root = '{{$MMACT_SSL_DATA:data}}/nwucla'
prepare_command = 'python tools/prepare_data.py nwucla --source DIR'
views = ('clip', 'masked', 'shuffled')
train_pipeline = [
    dict(
        type='MakeSkeletonViews',
        views=dict(
            clip=[], masked=[dict(type='MaskFuture')], shuffled=[dict(type='ShuffleSegments')]
        ),
    ),
    dict(type='PackSkeletonInputs', views=views),
]
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='LengthBucketBatchSampler'),
    batch_size=256,
    dataset=dict(
        type='SkeletonDataset',
        ann_file=f'{data_root}/xview_train.txt',
        data_prefix=dict(skeleton=data_root),
        prepare_command=prepare_command,
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file=f'{data_root}/xview_test.txt',
        data_prefix=dict(skeleton=data_root),
        prepare_command=prepare_command,
        pipeline=train_pipeline,
        test_mode=True,
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
