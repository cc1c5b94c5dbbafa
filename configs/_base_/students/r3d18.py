# R3D-18 of Tran et al., CVPR 2018, as mmaction2 spells it: 33.2 M parameters,
# (B, 3, 16, 112, 112) -> (B, 512, 2, 7, 7).
backbone_name = 'r3d18'
backbone = dict(
    type='mmaction.ResNet3d',
    depth=18,
    pretrained=None,
    pretrained2d=False,
    base_channels=64,
    conv1_kernel=(3, 7, 7),
    conv1_stride_t=1,
    with_pool1=False,
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
    inflate_style='3x3x3',
    zero_init_residual=False,
)
