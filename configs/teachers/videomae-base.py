"""VideoMAE ViT-B (arXiv 2203.12602), in transformers; 16 frames at stride 4 to (768,).

Of the hub, or a folder data/teachers/videomae-base. Its license, CC BY-NC 4.0, is not commercial.
"""

teacher = dict(type='TransformersTeacher', model='MCG-NJU/videomae-base', stride=4)
