# The transformer of MAMP (Mao et al., arXiv 2308.07092): 8 layers of 256 over joints in segments of
# 4 frames, on clips of 120 frames. 6.3 M parameters, (B, M, 120, V, C) -> (B, M, 256, 30, V).
_base_ = '../_base_/encoders/resampled-skeletons.py'

encoder = dict(
    name='stt-base',
    options=dict(frames=120),
    backbone=dict(
        type='mmact_ssl.SkeletonTransformer',
        layout='$layout',
        in_channels='$coordinates',
        num_frames='$frames',
    ),
    channels=256,
    finetune=dict(optim_wrapper=dict(optimizer=dict(lr=5e-4))),
)
