# A small transformer over joints in segments of 4 frames, for CPUs, on clips of 32 frames. 0.8 M
# parameters, (B, M, 32, V, C) -> (B, M, 128, 8, V). Our choice.
_base_ = '../_base_/encoders/resampled-skeletons.py'

encoder = dict(
    name='stt',
    backbone=dict(
        type='mmact_ssl.SkeletonTransformer',
        layout='$layout',
        in_channels='$coordinates',
        num_frames='$frames',
        embed_dims=128,
        depth=4,
        num_heads=4,
    ),
    channels=128,
    finetune=dict(optim_wrapper=dict(optimizer=dict(lr=5e-4))),
)
