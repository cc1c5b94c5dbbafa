"""CSVR's configs, and the R3D-18 that all methods on video train."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmact_ssl.engine.optimizers import AdversarialOptimWrapper
from mmact_ssl.registry import OPTIM_WRAPPER_CONSTRUCTORS
from tests.shipped import build, load

STUDENTS = {'r3d18': 'csvr_r3d_k400.py', 'r3d18-small': 'csvr_r3d_demo.py'}


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def r3d18_parameters(width: int) -> int:
    """Convolutions without bias, each with a batch normalization of two numbers a channel."""

    def convolution(inward: int, outward: int, kernel: int) -> int:
        return inward * outward * kernel + 2 * outward

    total, channels = convolution(3, width, 3 * 7 * 7), width
    for stage in range(4):
        outward = width * 2**stage
        for block in range(2):
            total += convolution(channels, outward, 27) + convolution(outward, outward, 27)
            if block == 0 and channels != outward:
                total += convolution(channels, outward, 1)
            channels = outward
    return total


def build_optimizers(config, model) -> OptimWrapper:
    wrapper = dict(type=config.optim_wrapper.pop('constructor'))
    return OPTIM_WRAPPER_CONSTRUCTORS.build({**wrapper, 'optim_wrapper_cfg': config.optim_wrapper})(
        model
    )


def test_r3d18_is_torchvisions():
    """Number for number: torchvision's weights in our student give torchvision's features."""
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    twin = r3d_18(weights=None).eval()
    backbone = build(load('csvr_r3d_k400.py')).backbone
    backbone.eval()  # mmaction2's returns nothing
    assert count(backbone) == count(twin) - count(twin.fc) == 33_166_272
    theirs = [value for name, value in twin.state_dict().items() if not name.startswith('fc.')]
    ours = backbone.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs]
    backbone.load_state_dict(dict(zip(ours, theirs)), assign=True)
    frames = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        features = twin.layer4(twin.layer3(twin.layer2(twin.layer1(twin.stem(frames)))))
        torch.testing.assert_close(backbone(frames)[-1], features)


@pytest.mark.parametrize(
    ('student', 'width', 'frames', 'feature_map'),
    [
        ('r3d18', 64, (2, 3, 16, 112, 112), (2, 512, 2, 7, 7)),
        ('r3d18-small', 16, (2, 3, 8, 64, 64), (2, 128, 1, 4, 4)),
    ],
)
def test_parameters_and_shapes_of_student_and_adapters(student, width, frames, feature_map):
    model = build(load(STUDENTS[student]))
    assert count(model.backbone) == r3d18_parameters(width)
    maps = model.backbone(torch.empty(frames, device='meta'))
    assert tuple(maps[-1].shape) == feature_map
    for name, level in (('dynamic', -1), ('static', 0)):
        assert model.adapters[name](maps[level]).shape[2:] == maps[level].shape[2:]


def test_the_discriminators_have_an_optimizer_of_their_own():
    config = load('csvr_r3d_demo.py')
    assert isinstance(build_optimizers(config, build(config)), AdversarialOptimWrapper)
    config = load('csvr_r3d_demo.py', ['model.heads.pose=None'])
    assert type(build_optimizers(config, build(config))) is OptimWrapper, 'nothing to discriminate'


@pytest.mark.parametrize('student', STUDENTS)
def test_stock_mmaction2_has_the_same_backbone(student: str):
    """Keys and shapes, so that a pre-trained checkpoint loads with nothing missing or left over."""
    config = load(f'downstream/{student}.py@jhmdb')
    config.model.cls_head.num_classes = 7
    recognizer = build(config)
    assert type(recognizer).__module__.startswith('mmaction.')
    stock, ours = (
        {k: v.shape for k, v in model.state_dict().items() if k.startswith('backbone.')}
        for model in (recognizer, build(load(STUDENTS[student])))
    )
    assert stock == ours
    assert len(ours) > 100
