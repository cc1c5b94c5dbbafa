# CSVR on the small student, with heads to match.
_base_ = 'csvr_r3d18.py'

backbone_name = 'r3d18-small'

model = dict(
    backbone=dict(base_channels=16, with_pool1=True, spatial_strides=(1, 2, 2, 1)),
    adapters=dict(
        dynamic=dict(in_channels=128, out_channels=128),
        static=dict(in_channels=128, out_channels=128),
    ),
    heads=dict(
        pose=dict(in_channels=128, observed_frames=8, hidden_dim=256),
        context=dict(
            in_channels=128,
            frame_encoder=dict(base_channels=16, stem_channels=16),
            frame_channels=128,
            hidden_dim=256,
        ),
        video=dict(
            in_channels=128,
            channels=32,
            discriminator_channels=8,
            resolutions=(16, 32),
            frame_stride=2,
        ),
    ),
    # From trials on JHMDB's training split, see docs/methods/csvr.md. Adam trains what one head
    # owns alone alike under any weight, so that these weights say who shapes the feature map.
    balancer=dict(weights=dict(pose=20.0, context=0.5, video=0.5)),
)
