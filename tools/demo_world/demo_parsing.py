"""Train the demo world's parsing teacher: a small semantic FPN of mmsegmentation, LIP's labels.

    mmact-ssl prepare demo
    mmact-ssl train tools/demo_world/demo_parsing.py

Frames of 112 x 112. ResNet-18 with 16 base channels and semantic FPN's head (arXiv 1901.02446) on
maps of a quarter of the frame; sizes and schedule are our choice. Half of LIP's 20 labels occur.
"""

_base_ = '../../configs/teachers/_base_/demo_training.py'

default_scope = 'mmseg'
custom_imports = dict(imports=['mmseg.models', 'mmseg.datasets'], allow_failed_imports=False)

norm = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(112, 112),
        seg_pad_val=255,
    ),
    backbone=dict(type='ResNetV1c', depth=18, base_channels=16, stem_channels=16, norm_cfg=norm),
    neck=dict(type='FPN', in_channels=[16, 32, 64, 128], out_channels=32, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[32, 32, 32, 32],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=32,
        dropout_ratio=0.0,
        num_classes=20,
        norm_cfg=norm,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(112, 112), ratio_range=(0.8, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(112, 112)),
    # A mirrored left arm looks like a right one.
    dict(type='RandomFlip', prob=0.5, swap_seg_labels=[(14, 15), (16, 17), (18, 19)]),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def _dataset(part, pipeline, test_mode):
    return dict(
        type='LIPDataset',
        data_root=_base_.data_root,
        data_prefix=dict(img_path=f'pose_frames/{part}', seg_map_path=f'part_frames/{part}'),
        pipeline=pipeline,
        test_mode=test_mode,
    )


train_dataloader = dict(dataset=_dataset('train', train_pipeline, False))
val_dataloader = dict(dataset=_dataset('val', test_pipeline, True))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
