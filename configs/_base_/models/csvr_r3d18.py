# CSVR: one student, an adapter for the dynamic and one for the static feature, three branches.
# A branch is switched off by `--cfg-options model.heads.pose=None` (or context, or video).
_base_ = '../students/r3d18.py'

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(
        type='PretextDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        views=('clip', 'future', 'keyframes'),
        targets=(
            'clip_valid',
            'future_valid',
            'keyframes_valid',
            'clip_pose',
            'future_pose',
        ),
    ),
    encode=('clip',),
    adapters=dict(
        dynamic=dict(type='ConvolutionAdapter', in_channels=512, out_channels=256),
        static=dict(type='ConvolutionAdapter', in_channels=512, out_channels=256),
    ),
    heads=dict(
        pose=dict(
            type='PosePredictionHead',
            in_channels=256,
            num_joints=17,
            observed_frames=16,
            hidden_dim=512,
        ),
        context=dict(
            type='ContextMatchingHead',
            in_channels=256,
            # Starts as torch's layers do (our choice), not as mmpretrain's do.
            frame_encoder=dict(
                type='mmpretrain.ResNet', depth=18, init_cfg=None, zero_init_residual=False
            ),
            frame_channels=512,
            embedding_dim=128,
            temperature=0.07,
        ),
        video=dict(
            type='VideoGenerationHead',
            in_channels=256,
            channels=256,
            discriminator_channels=32,
            resolutions=(16, 32, 64),
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(pose=1.0, context=1.0, video=0.5)),
)
