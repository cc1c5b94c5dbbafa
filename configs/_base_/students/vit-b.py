# ViT-B of VideoMAE (Tong et al., arXiv 2203.12602): clips of 16 frames at 224x224 in patches of
# 2x16x16. 86.2 M parameters, (B, 3, 16, 224, 224) -> (B, 768, 8, 14, 14).
backbone_name = 'vit-b'
backbone = dict(type='mmact_ssl.MaskedVisionTransformer')
