"""CLIP ViT-B/32's image tower (arXiv 2103.00020) in open_clip, LAION-2B; a frame to (512,).

The space is that of clip-vit-b32_text.py. The whole frame is stretched to the input, because a
center crop may lose the actor (our choice).
"""

_base_ = 'clip-vit-b32_text.py'

teacher = dict(type='OpenCLIPTeacher')
