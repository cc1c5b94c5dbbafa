# A small vision transformer for two cores: clips of 8 frames at 64x64 in patches of 2x8x8. 2.7 M
# parameters, (B, 3, 8, 64, 64) -> (B, 192, 4, 8, 8). Our choice.
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='vit-tiny',
    backbone=dict(
        type='mmact_ssl.MaskedVisionTransformer',
        img_size='$side',
        patch_size=8,
        embed_dims=192,
        depth=6,
        num_heads=3,
        num_frames='$frames',
    ),
    channels=192,
)
