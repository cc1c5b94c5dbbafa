# Shared by the students of skeleton clips of a fixed length. Frozen features have no augmentation;
# fine-tuning crops, rotates, shears and, unless left and right differ, mirrors.
_base_ = 'skeletons.py'

encoder = dict(
    options=dict(frames=32),
    finetune=dict(
        # Of these a data set may give its own.
        settings=dict(flip_ratio=0.5),
        recognizer=dict(cls_head=dict(dropout=0.5)),
        clip=[
            dict(type='mmact_ssl.NormalizeSkeleton'),
            dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames='$frames'),
            dict(type='mmact_ssl.RandomRotation', degrees=30),
            dict(type='mmact_ssl.RandomShear', amplitude=0.3),
            dict(type='mmact_ssl.SkeletonFlip', flip_ratio='$flip_ratio'),
            dict(type='mmaction.FormatGCNInput', num_person='$persons'),
            dict(type='mmaction.PackActionInputs'),
        ],
        # Longer and with a higher rate than for the published GRU, as chosen by training on one
        # view of NW-UCLA and testing on the other.
        optim_wrapper=dict(optimizer=dict(lr=2e-3)),
        train_cfg=dict(max_epochs=60),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', begin=2, end=60, convert_to_iter_based=True),
        ],
    ),
)
