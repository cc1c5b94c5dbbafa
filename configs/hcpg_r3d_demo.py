# HCPG on the demo world (synthetic), under the small mmsegmentation parser that is trained on it.
_base_ = 'hcpg_r3d_jhmdb.py'

dataset_name = 'demo'
synthetic = True
data_root = '{{$MMACT_SSL_DATA:data}}/demo'
folder = dict(
    data_prefix=dict(video=data_root), prepare_command='python tools/prepare_data.py demo'
)
parts = _base_.parts
parts.path = f'{data_root}/targets/demo_parsing_teacher.lmdb'
parts.layout = 'demo_parts'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        pipeline=[_base_.sample_views, parts, *_base_.make_views],
        **folder,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        pipeline=[_base_.sample_test_views, parts, *_base_.make_test_views],
        **folder,
    )
)
# The contrasts find a video's other clip by its background; light, they leave more of what parsing
# teaches. Chosen on subjects held out of the training split.
model = dict(
    heads=dict(parsing=dict(num_parts=10)),
    balancer=dict(weights=dict(appearance=0.1, motion=0.1)),
)
