"""Projectors of a file that may be anybody's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.saved_run import SavedRun


def projector(side: str, streams: int = 1, inputs: int = 6, hidden: int = 5) -> dict:
    found = {}
    for stream in range(streams):
        for layer, shape in (('0', (hidden, inputs)), ('2', (4, hidden))):
            prefix = f'heads.prompts.{side}_projector.{stream}.{layer}'
            found[f'{prefix}.weight'] = torch.randn(shape)
            found[f'{prefix}.bias'] = torch.randn(shape[0])
    return found


def test_projectors_are_built_of_their_weights(tmp_path: Path):
    weights = {**projector('skeleton'), **projector('prompt', inputs=3)}
    save_file(weights, tmp_path / 'a.safetensors')
    space = SharedSpace(SavedRun.read(tmp_path / 'a.safetensors'))
    values = torch.nn.functional.normalize(torch.randn(2, 3), dim=1)
    first, second = (f'heads.prompts.prompt_projector.0.{layer}' for layer in '02')
    hidden = values @ weights[f'{first}.weight'].T + weights[f'{first}.bias']
    expected = hidden.relu() @ weights[f'{second}.weight'].T + weights[f'{second}.bias']
    expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    found = space.embed('prompt', values.numpy())
    assert abs(found - expected).max() < 1e-6


def test_streams_without_weights_take_no_memory(tmp_path: Path):
    """A file of some kilobytes that names thousands of large streams is refused, not built."""
    weights = {**projector('skeleton', hidden=2000, inputs=100), **projector('prompt')}
    for stream in range(1, 3000):
        weights[f'heads.prompts.skeleton_projector.{stream}.x'] = torch.zeros(1)
    save_file(weights, tmp_path / 'a.safetensors')
    with pytest.raises(CheckpointError, match=r'a\.safetensors'):
        SharedSpace(SavedRun.read(tmp_path / 'a.safetensors'))


def test_projectors_that_are_none_are_an_error_of_the_file(tmp_path):
    torch.save(dict(state_dict={'heads.x.prompt_projector.a': torch.ones(2)}), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'x\.pth: .*publish it again'):
        SharedSpace(SavedRun.read(tmp_path / 'x.pth'))
