# MS2L's contrast and C2VL's matching together on the skeletons of UTD-MHAD (odd subjects). Swipes
# to the left and to the right are different actions here: no view is mirrored.
_base_ = 'ms2l-c2vl_gru_nwucla.py'

dataset_name = 'utdmhad-skeleton'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py utdmhad --source DIR',
)
augment = _base_.never_mirrored
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment, clip=augment))
train_pipeline = _base_.train_pipeline
train_pipeline[0].path = prompts
train_pipeline[2] = make_views
test_pipeline = _base_.test_pipeline
test_pipeline[0].path = prompts
test_pipeline[2] = make_views
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=test_pipeline, **folder)
)
