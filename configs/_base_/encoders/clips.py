# Shared by the students of video that read clips of consecutive frames at a stride.
encoder = dict(
    options=dict(frames=8, side=64, stride=2),
    preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    # Three evenly spread clips, whose features or scores are averaged.
    clip=[
        dict(type='mmact_ssl.ReadVideo'),
        dict(
            type='mmaction.SampleFrames',
            clip_len='$frames',
            frame_interval='$stride',
            num_clips=3,
            out_of_bound_opt='repeat_last',
            test_mode=True,
        ),
        dict(type='mmact_ssl.DecodeFrames'),
        dict(type='mmaction.Resize', scale=(-1, '$side')),
        dict(type='mmaction.CenterCrop', crop_size='$side'),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='mmaction.PackActionInputs'),
    ],
    finetune=dict(
        # Of these a data set may give its own.
        settings=dict(
            crop=dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
            flip_ratio=0.5,
            finetune_epochs=20,
            pretrained_lr_mult=0.1,
        ),
        recognizer=dict(
            type='mmaction.Recognizer3D',
            cls_head=dict(
                type='mmaction.I3DHead',
                dropout_ratio=0.3,
                average_clips='prob',
                loss_cls=dict(type='mmaction.CrossEntropyLoss'),
            ),
        ),
        clip=[
            dict(type='mmact_ssl.ReadVideo'),
            dict(
                type='mmaction.SampleFrames',
                clip_len='$frames',
                frame_interval='$stride',
                out_of_bound_opt='repeat_last',
            ),
            dict(type='mmact_ssl.DecodeFrames'),
            '$crop',
            dict(type='mmaction.Resize', scale=('$side', '$side'), keep_ratio=False),
            dict(type='mmaction.Flip', flip_ratio='$flip_ratio'),
            dict(type='mmaction.FormatShape', input_format='NCTHW'),
            dict(type='mmaction.PackActionInputs'),
        ],
        loader=dict(batch_size=16, num_workers=0),
        # Our choice.
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05), clip_grad=dict(max_norm=5)
        ),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs='$finetune_epochs'),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True),
            dict(
                type='CosineAnnealingLR',
                begin=2,
                end='$finetune_epochs',
                convert_to_iter_based=True,
            ),
        ],
        # A pre-trained backbone has a low rate: at the classifier's rate few clips would overwrite
        # its weights.
        pretrained_lr_mult='$pretrained_lr_mult',
    ),
)
