# TSN's ResNet-18 (Wang et al., arXiv 1608.00859), a 2D network, as mmaction2 spells it: 11.2 M
# parameters, frames (N, 3, 224, 224) -> (N, 512, 7, 7). From random weights.
backbone_name = 'tsn-r18'
backbone = dict(
    type='mmaction.ResNet', pretrained=None, depth=18, norm_eval=False, partial_bn=False
)
