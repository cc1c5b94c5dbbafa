# TSM's ResNet-50 (Lin et al., arXiv 1811.08383) as mmaction2 spells it, as trained on ImageNet:
# 23.5 M parameters, frames (B*8, 3, 224, 224) -> (B*8, 2048, 7, 7).
backbone_name = 'tsm-r50'
backbone = dict(
    type='mmaction.ResNetTSM',
    depth=50,
    num_segments=8,
    shift_div=8,
    pretrained='torchvision://resnet50',
)
