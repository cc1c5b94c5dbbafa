"""CLIP ViT-B/32's text tower (arXiv 2103.00020) in open_clip, LAION-2B; a sentence to (512,).

Downloaded once, 605 MB with the image tower, which clip-vit-b32_frames.py reads from the same file.
"""

teacher = dict(
    type='OpenCLIPTextTeacher',
    model='ViT-B-32',
    checkpoint='https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/main/'
    'open_clip_model.safetensors'
    '#sha256=ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6',
)
