# The transformer of MAMP (Mao et al., arXiv 2308.07092): 8 layers of 256 over joints in segments of
# 4 frames, on clips of 120 frames. 6.3 M parameters, (B, M, 120, V, C) -> (B, M, 256, 30, V). The
# configs add a set's layout.
backbone_name = 'stt-base'
backbone = dict(type='mmact_ssl.SkeletonTransformer', in_channels=3)
