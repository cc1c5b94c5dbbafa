# Two augmented views of a skeleton clip for ST-GCN, which reads joints in 64 frames; 120 epochs,
# for NTU RGB+D (--set) or the prepared folder of --data.
_base_ = [
    '{{$MMACT_SSL_SET:../sets/folder-skeleton.py}}',
    '../students/stgcn.py',
    '../methods/skeleton-views.py',
]

head_sizes = dict(in_channels=256)
model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout),
    # Each view is a separate batch, so batch statistics do not mix views.
    encode_together=False,
    pooling=dict(mode='mean', streams=1),
    shared_weights=None,
)
crop = dict(_base_.crop, num_frames=64)
move = [*_base_.move, *_base_.jitter]
flip = [dict(type='SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
augment = [crop, *move, *flip, _base_.mask]
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pipeline = [_base_.normalize, make_views, _base_.pack]
# The statistics of Barlow Twins and VICReg over the few clips of a last batch are noise. All rivals
# have the same batches.
train_dataloader = dict(
    num_workers=4, drop_last=True, dataset=dict(_base_.train_set, pipeline=pipeline)
)
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=pipeline))
