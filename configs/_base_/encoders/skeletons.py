# Shared by the students of skeletons. Clips in the axes of their first frame, independent of the
# camera's place, and resampled unless a student reads any length.
encoder = dict(
    options=dict(layout='ntu25', persons=1, coordinates=3),
    preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
    pooling=dict(type='mmact_ssl.SkeletonPooling'),
    clip=[
        dict(type='mmact_ssl.NormalizeSkeleton'),
        dict(type='mmact_ssl.ResampleFrames', num_frames='$frames'),
        dict(type='mmaction.FormatGCNInput', num_person='$persons'),
        dict(type='mmaction.PackActionInputs'),
    ],
    finetune=dict(
        settings=dict(),
        recognizer=dict(
            type='mmaction.RecognizerGCN', cls_head=dict(type='mmaction.GCNHead', dropout=0.0)
        ),
        loader=dict(batch_size=64, num_workers=0),
        # Our choice.
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01), clip_grad=dict(max_norm=10)
        ),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=30),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', begin=2, end=30, convert_to_iter_based=True),
        ],
        pretrained_lr_mult=0.3,
    ),
)
