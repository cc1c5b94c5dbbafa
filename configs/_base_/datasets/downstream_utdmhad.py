_base_ = 'downstream_64.py'

dataset_name = 'utdmhad'
synthetic = False
prepare_command = 'python tools/prepare_data.py utdmhad --source DIR'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad'

# Actions are longer here than elsewhere, and some differ only in left and right: no flip.
train_pipeline = _base_.train_pipeline
train_pipeline[1].frame_interval = 4
train_pipeline[5].flip_ratio = 0.0
test_pipeline = _base_.test_pipeline
test_pipeline[1].frame_interval = 4

train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
    )
)
