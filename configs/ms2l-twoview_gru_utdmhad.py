# Contrast between two augmented views on the skeletons of UTD-MHAD (odd subjects).
_base_ = 'ms2l-twoview_gru_nwucla.py'

dataset_name = 'utdmhad-skeleton'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad/skeleton'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py utdmhad --source DIR',
)
# Swipes to the left and to the right, circles one way and the other are different actions here.
augment = _base_.augment
augment.pop(3)  # SkeletonFlip
train_pipeline = _base_.train_pipeline
train_pipeline[1].views = dict(one=augment, two=augment)
train_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder)
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=train_pipeline, **folder)
)
