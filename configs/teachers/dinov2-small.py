"""DINOv2 ViT-S/14 (arXiv 2304.07193, Apache-2.0), in transformers; a frame to (384,).

Of the hub, or a folder data/teachers/dinov2-small.
"""

teacher = dict(type='TransformersTeacher', model='facebook/dinov2-small', batch_size=16)
