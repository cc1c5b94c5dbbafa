"""Train the demo world's pose teacher: a small top-down SimCC model of mmpose, COCO-17.

    mmact-ssl prepare demo
    mmact-ssl train configs/teachers/demo_pose.py

One person per frame of 112 x 112, the whole frame is the box. ResNet-18 with 16 base channels at
stride 32 (our choice) and RTMPose's head (arXiv 2303.07399). The trained weights are shipped as
weights/demo_pose.pth, see docs/extend/demo_world.md.
"""

_base_ = '_base_/demo_training.py'

default_scope = 'mmpose'
custom_imports = dict(imports=['mmact_ssl.datasets.transforms'], allow_failed_imports=False)

codec = dict(
    type='SimCCLabel',
    input_size=(112, 112),
    sigma=(3.0, 3.0),
    simcc_split_ratio=2.0,
    normalize=False,
)

model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet', depth=18, base_channels=16, stem_channels=16, strides=(1, 2, 2, 2)
    ),
    head=dict(
        type='RTMCCHead',
        in_channels=128,
        out_channels=17,
        input_size=codec['input_size'],
        in_featuremap_size=(4, 4),
        simcc_split_ratio=codec['simcc_split_ratio'],
        final_layer_kernel_size=3,
        gau_cfg=dict(
            hidden_dims=96,
            s=64,
            expansion_factor=2,
            dropout_rate=0.0,
            drop_path=0.0,
            act_fn='SiLU',
            use_rel_bias=False,
            pos_enc=False,
        ),
        loss=dict(type='KLDiscretLoss', use_target_weight=True, beta=10.0, label_softmax=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=False),
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='mmact_ssl.WholeFrameBox'),
    # The box is the frame: a padded one would shrink the person.
    dict(type='GetBBoxCenterScale', padding=1.0),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_factor=0.1, scale_factor=(0.8, 1.2), rotate_factor=25),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='mmdet.YOLOXHSVRandomAug'),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='mmact_ssl.WholeFrameBox'),
    dict(type='GetBBoxCenterScale', padding=1.0),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]


def _dataset(part, pipeline, test_mode):
    return dict(
        type='CocoDataset',
        data_root=_base_.data_root,
        data_mode='topdown',
        ann_file=f'pose_{part}.json',
        data_prefix=dict(img='pose_frames/'),
        pipeline=pipeline,
        test_mode=test_mode,
    )


train_dataloader = dict(dataset=_dataset('train', train_pipeline, False))
val_dataloader = dict(dataset=_dataset('val', test_pipeline, True))
test_dataloader = val_dataloader
# The box is the frame: 0.05 is 5.6 pixels.
val_evaluator = dict(type='PCKAccuracy', thr=0.05, norm_item='bbox')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=4e-3))
