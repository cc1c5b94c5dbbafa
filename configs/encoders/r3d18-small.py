# R3D-18 cut down for two cores: a quarter of the width, a pooled stem, no stride in the last stage;
# clips of 8 frames at 64x64. 2.1 M parameters, (B, 3, 8, 64, 64) -> (B, 128, 1, 4, 4). Our choice.
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='r3d18-small',
    backbone=dict(
        type='mmaction.ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        base_channels=16,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        with_pool1=True,
        with_pool2=False,
        spatial_strides=(1, 2, 2, 1),
        temporal_strides=(1, 2, 2, 2),
        inflate_style='3x3x3',
        zero_init_residual=False,
    ),
    channels=128,
)
