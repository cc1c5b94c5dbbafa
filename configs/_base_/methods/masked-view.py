# MAMP's masked motion on a view of its own, `masked`, for the small transformer over joints.
masked_motion = dict(
    type='MaskedMotionHead', in_channels=128, view='masked', hidden_dim=64, depth=2, num_heads=4
)
masked = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='MaskJointSegments', temperature=0.8),
]
