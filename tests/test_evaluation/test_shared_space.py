"""The space of skeletons and sentences: that of the head, and of a file that may be anybody's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.errors import CheckpointError, DataError
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead
from mmact_ssl.saved_run import SavedRun


def projector(side: str, streams: int = 1, inputs: int = 6, hidden: int = 5) -> dict:
    found = {}
    for stream in range(streams):
        for layer, shape in (('0', (hidden, inputs)), ('2', (4, hidden))):
            prefix = f'heads.prompts.{side}_projector.{stream}.{layer}'
            found[f'{prefix}.weight'] = torch.randn(shape)
            found[f'{prefix}.bias'] = torch.randn(shape[0])
    return found


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


def save(path: Path, **heads: PromptMatchingHead) -> SavedRun:
    state = {
        f'heads.{k}.{key}': v for k, head in heads.items() for key, v in head.state_dict().items()
    }
    torch.save(dict(state_dict={**state, 'backbone.w': torch.ones(1)}), path)
    return SavedRun.read(path)


@pytest.mark.parametrize('streams', [1, 3])
def test_the_space_is_that_of_the_head(tmp_path, streams):
    torch.manual_seed(0)
    sizes = dict(hidden_dim=6, embedding_dim=4, streams=streams)
    head = PromptMatchingHead(5 * streams, 7, cross_consistency=True, **sizes)
    space = SharedSpace(save(tmp_path / 'c.pth', prompts=head))
    pooled, prompt = torch.randn(3, 5 * streams), torch.randn(3, 1, 7)
    with torch.no_grad():
        expected = [torch.nn.functional.normalize(v, dim=1) for v in head.embed(pooled, prompt)]
    found = space.embed('skeleton', pooled.numpy()), space.embed('prompt', prompt[:, 0].numpy())
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)
    for side, size in (('skeleton', 5 * streams), ('prompt', 7)):
        with pytest.raises(DataError, match=f'{side} projector reads {size} values, there are 4:'):
            space.embed(side, np.ones((2, 4)))


def test_of_several_heads_the_one_of_sentences_is_taken(tmp_path):
    prompts, frames = (PromptMatchingHead(5, 7, hidden_dim=6, embedding_dim=4) for _ in range(2))
    space = SharedSpace(save(tmp_path / 'c.pth', prompts=prompts, frames=frames))
    for side in ('skeleton', 'prompt'):
        expected = getattr(prompts, f'{side}_projector').state_dict()
        for key, value in space.projectors[side].state_dict().items():
            torch.testing.assert_close(value, expected[key].double())
    with pytest.raises(CheckpointError, match=r"holds 2 heads .*\['frames', 'others'\].*'prompts'"):
        SharedSpace(save(tmp_path / 'two.pth', frames=frames, others=frames))
    with pytest.raises(CheckpointError, match='holds 0 heads .*not an exported student'):
        SharedSpace(save(tmp_path / 'student.pth'))


@pytest.mark.parametrize('broken', [float('nan'), float('inf')])
def test_a_diverged_training_is_refused(tmp_path, broken):
    head = PromptMatchingHead(8, 8, hidden_dim=6, embedding_dim=4)
    space = SharedSpace(save(tmp_path / 'c.pth', prompts=head))
    with pytest.raises(CheckpointError, match=r'c\.pth: .*projector has diverged'):
        space.embed('skeleton', np.full((8, 8), broken))
    with torch.no_grad():
        head.skeleton_projector[0][2].bias.fill_(broken)
    with pytest.raises(CheckpointError, match=r'c\.pth: .*skeleton_projector.* is not finite'):
        SharedSpace(save(tmp_path / 'c.pth', prompts=head))
