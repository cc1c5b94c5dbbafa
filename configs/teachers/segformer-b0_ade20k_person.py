"""SegFormer-b0 trained on ADE20K, from mmsegmentation's model zoo; a frame to the person's mask.

Of its 150 classes number 12 is ``person``. A parser of body parts is one entry more: see
docs/extend/teachers.md.
"""

teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
    checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/segformer/'
    'segformer_mit-b0_512x512_160k_ade20k/'
    'segformer_mit-b0_512x512_160k_ade20k_20210726_101530-8ffa8fda.pth',
    input_size=512,
    map_size=64,
    parts=dict(person=[12]),
    layout='person',
)
