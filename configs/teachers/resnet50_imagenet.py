"""ResNet-50 trained on ImageNet, from mmpretrain's model zoo; a frame to (2048,)."""

teacher = dict(
    type='MMLabTeacher',
    config='mmpretrain::resnet/resnet50_8xb32_in1k.py',
    checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/'
    'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
    input_size=224,
)
