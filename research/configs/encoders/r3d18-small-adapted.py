# Inputs of HCPG's tasks: the feature map and all adapters, concatenated, from a checkpoint that
# research/parts/adapted_backbone.py has written. For frozen features.
_base_ = 'mmact_ssl::encoders/r3d18-small.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.adapted_backbone'])

adapter = dict(type='mmact_ssl.GatedAdapter', in_channels=128, out_channels=64)
encoder = dict(
    name='r3d18-small-adapted',
    backbone=dict(
        _delete_=True,
        type='mmact_ssl.AdaptedBackbone',
        backbone=_base_.encoder.backbone,
        adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
        outputs=('feature_map', 'appearance', 'motion', 'parsing'),
    ),
    channels=128 + 3 * 64,
)
