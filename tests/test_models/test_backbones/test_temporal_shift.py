"""timm's networks with the temporal shift."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.runner import load_checkpoint

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.backbones.temporal_shift import TemporalShiftNetwork, shift_in_time

timm = pytest.importorskip('timm')

LITE = 'tf_efficientnet_lite0'
SMALL = 'resnet10t'
# Else the residual branches, where the shift is, begin as zero.
ALIVE = dict(zero_init_last=False)


@pytest.mark.parametrize(
    ('clips', 'frames', 'channels', 'div'),
    [(2, 8, 24, 8), (3, 2, 10, 4), (1, 5, 12, 3), (2, 3, 5, 8)],
)
def test_it_shifts_as_mmaction2_does(clips, frames, channels, div):
    from mmaction.models.backbones.resnet_tsm import TemporalShift

    maps = torch.randn(clips * frames, channels, 2, 3)
    assert torch.equal(shift_in_time(maps, frames, div), TemporalShift.shift(maps, frames, div))


@pytest.mark.parametrize(
    ('model', 'convolution', 'blocks'),
    [
        (LITE, 'conv_pw', 9),
        ('resnet18', 'conv1', 8),
        ('resnetv2_50', 'conv1', 16),  # lists its shortcut first
        ('convnext_atto', 'conv_dw', 12),
        ('regnety_002', 'conv1.conv', 13),
        ('rexnet_100', 'conv_exp.conv', 11),
    ],
)
def test_residual_branches_are_found(model, convolution, blocks):
    network = TemporalShiftNetwork(model)
    found = set(network.first_convolutions())
    names = [name for name, module in network.named_modules() if module in found]
    assert len(names) == blocks
    assert all(name.endswith(f'.{convolution}') for name in names)


def test_a_network_without_residual_convolutions_is_refused():
    with pytest.raises(ConfigError, match='model=vit_tiny_patch16_224: no residual blocks'):
        TemporalShiftNetwork('vit_tiny_patch16_224')


@pytest.mark.parametrize('num_segments', [1, 4])
def test_frames_of_one_clip_see_each_other_and_no_others(num_segments):
    network = TemporalShiftNetwork(SMALL, num_segments=num_segments, model_args=ALIVE).eval()
    frames = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        before = network(frames)
        frames[1] += 1
        changed = (network(frames) - before).abs().amax((1, 2, 3)) > 1e-5
    assert before.shape == (8, 512, 1, 1)
    assert changed[:4].tolist() == (
        [False, True, False, False] if num_segments == 1 else [True] * 4
    )
    assert not changed[4:].any()


@pytest.mark.parametrize('model', [LITE, 'resnetv2_50', 'regnety_002', 'rexnet_100'])
def test_a_folded_copy_has_the_same_features(model):
    network = TemporalShiftNetwork(model, num_segments=2).eval()
    for statistics in (buffer for buffer in network.buffers() if buffer.ndim):
        torch.nn.init.uniform_(statistics, 0.5, 1.5)
    folded, frames = network.folded(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(folded(frames), network(frames), rtol=1e-3, atol=1e-4)
    assert len(folded.state_dict()) < len(network.state_dict())


def test_mmaction2s_recognizer_keeps_the_weights_that_it_starts_from(tmp_path):
    from mmaction.registry import MODELS
    from mmaction.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    start = timm.create_model(SMALL)
    path = tmp_path / 'start.pth'
    torch.save(start.state_dict(), path)
    others = dict(
        type='mmaction.Recognizer2D',
        cls_head=dict(type='mmaction.TSNHead', num_classes=3, in_channels=512),
        data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
    )
    part = dict(type='mmact_ssl.TemporalShiftNetwork', model=SMALL, checkpoint=str(path))
    recognizer = MODELS.build(dict(others, backbone=part))
    recognizer.init_weights()
    for name, value in recognizer.backbone.state_dict().items():
        assert torch.equal(value, start.state_dict()[name]), name
    features, _ = recognizer.extract_feat(torch.randn(2, 8, 3, 32, 32))
    assert features.shape == (16, 512, 1, 1)
    # Without the shift, the exported student is timm's network.
    stock = MODELS.build(dict(others, backbone=dict(type=f'timm.{SMALL}', pretrained=False)))
    stock.load_state_dict(recognizer.state_dict(), strict=True)
    for parameter in stock.parameters():
        torch.nn.init.normal_(parameter)
    torch.save({'state_dict': stock.state_dict()}, path)
    load_checkpoint(recognizer, str(path), strict=True)
    for name, value in recognizer.state_dict().items():
        assert torch.equal(value, stock.state_dict()[name]), name


def test_frozen_stages_and_statistics_stay():
    network = TemporalShiftNetwork(SMALL, 2, frozen_stages=1, model_args=ALIVE)
    start = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()(torch.randn(4, 3, 32, 32)).square().mean().backward()
    optimizer.step()
    moved = {n for n, value in network.state_dict().items() if not torch.equal(value, start[n])}
    assert not any(name.startswith(('conv1.', 'bn1.', 'layer1.')) for name in moved)
    assert {'layer2.0.conv1.weight', 'layer2.0.bn1.running_mean'} <= moved

    network = TemporalShiftNetwork(SMALL, num_segments=2, norm_eval=True)
    start = copy.deepcopy(network.state_dict())
    network.train()(torch.randn(4, 3, 32, 32))
    assert all(torch.equal(value, start[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_batch_statistics_of_a_still_background_are_exact():
    """Torch adds up thousands of equal numbers over channels last with an error of 1e-3."""
    torch.manual_seed(0)
    network = TemporalShiftNetwork(SMALL, num_segments=2, model_args=ALIVE).train()
    exact = copy.deepcopy(network).double()
    frames = torch.full((16, 3, 112, 112), -1.7)
    frames[..., 30:60, 30:60] += torch.randn(16, 3, 30, 30)
    network(frames), exact(frames.double())
    mean, expected = (part.network.bn1.running_mean for part in (network, exact))
    assert (mean - expected).norm() < 2e-6 * expected.norm()
