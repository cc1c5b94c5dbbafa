# Inputs of HCPG's tasks: the feature map and all adapters, concatenated, from a checkpoint that
# research/parts/adapted_backbone.py has written. For frozen features.
_base_ = 'mmact_ssl::downstream/r3d18.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.adapted_backbone'])

backbone_name = 'r3d18-adapted'
adapter = dict(type='mmact_ssl.GatedAdapter', in_channels=512, out_channels=256)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmact_ssl.AdaptedBackbone',
        backbone=_base_.backbone,
        adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
        outputs=('feature_map', 'appearance', 'motion', 'parsing'),
    ),
    cls_head=dict(in_channels=512 + 3 * 256),
)
optim_wrapper = None
