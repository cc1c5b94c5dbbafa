"""TSN with a ResNet-50 trained on Kinetics-400, from mmaction2's model zoo; a frame to (2048,).

The image-based action teacher (DTG-Net, arXiv 2006.07609).
"""

name = 'tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb'
teacher = dict(
    type='MMLabTeacher',
    config=f'mmaction::recognition/tsn/{name}.py',
    checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/'
    f'{name}/{name}_20220906-2692d16c.pth',
    input_size=224,
    batch_size=16,
)
