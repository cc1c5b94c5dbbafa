"""V-JEPA 2 ViT-L (arXiv 2506.09985, MIT), in transformers; 16 frames at stride 4 to (1024,).

Of the hub, or a folder data/teachers/vjepa2-vitl-fpc64-256. It was trained with 64 frames, which
take more than four times as long (our choice).
"""

model = 'facebook/vjepa2-vitl-fpc64-256'
teacher = dict(type='TransformersTeacher', model=model, frames=16, stride=4)
