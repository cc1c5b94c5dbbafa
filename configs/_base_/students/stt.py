# A small transformer over joints in segments of 4 frames, for CPUs, on clips of 32 frames. 0.8 M
# parameters, (B, M, 32, V, C) -> (B, M, 128, 8, V). Our choice. The configs add a set's layout.
backbone_name = 'stt'
backbone = dict(
    type='mmact_ssl.SkeletonTransformer',
    in_channels=3,
    num_frames=32,
    embed_dims=128,
    depth=4,
    num_heads=4,
)
