"""The space of skeletons and sentences: that of the head, and of a file that may be anybody's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.errors import CheckpointError, DataError
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead


def test_sizes_without_weights_take_no_memory(tmp_path: Path):
    """A small file that names the two sides of a layer of gigabytes is refused, not built."""
    shapes = {'0.weight': (25_000, 1), '0.bias': (25_000,), '2.weight': (25_000, 1)}
    weights = {
        f'heads.prompts.{side}_projector.0.{name}': torch.zeros(shape)
        for side in ('skeleton', 'prompt')
        for name, shape in shapes.items()
    }
    save_file(weights, tmp_path / 'a.safetensors')
    with pytest.raises(CheckpointError, match=r'a\.safetensors'):
        SharedSpace(StudentFile.read(tmp_path / 'a.safetensors'))


def test_projectors_that_are_none_are_an_error_of_the_file(tmp_path):
    torch.save(dict(state_dict={'heads.x.prompt_projector.a': torch.ones(2)}), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'x\.pth: .*publish it again'):
        SharedSpace(StudentFile.read(tmp_path / 'x.pth'))


def save(path: Path, **heads: PromptMatchingHead) -> StudentFile:
    state = {
        f'heads.{k}.{key}': v for k, head in heads.items() for key, v in head.state_dict().items()
    }
    torch.save(dict(state_dict={**state, 'backbone.w': torch.ones(1)}), path)
    return StudentFile.read(path)


def test_the_space_is_that_of_the_head(tmp_path):
    torch.manual_seed(0)
    head = PromptMatchingHead(5, 7, cross_consistency=True, hidden_dim=6, embedding_dim=4)
    space = SharedSpace(save(tmp_path / 'c.pth', prompts=head))
    pooled, prompt = torch.randn(3, 5), torch.randn(3, 1, 7)
    with torch.no_grad():
        expected = [torch.nn.functional.normalize(v, dim=1) for v in head.embed(pooled, prompt)]
    found = space.embed('skeleton', pooled.numpy()), space.embed('prompt', prompt[:, 0].numpy())
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)
    for side, size in (('skeleton', 5), ('prompt', 7)):
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
