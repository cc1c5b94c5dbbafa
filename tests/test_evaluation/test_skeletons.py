"""Features of skeleton clips: padding must not be felt, and labels must be in their place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.encoders.encoder import Encoder
from tests.test_evaluation.test_features import extract


def clips_of(folder: Path, split: str) -> list[torch.Tensor]:
    """float32 (1, 1, T, V, C) of each line of an annotation file, without padding."""
    coordinates = np.load(folder / 'skeletons.npy')
    table = np.load(folder / 'clips.npz')
    ends = np.cumsum(table['lengths'])
    at = {name: i for i, name in enumerate(table['names'].tolist())}
    clips = []
    for line in (folder / f'xview_{split}.txt').read_text().splitlines():
        i = at[line.split()[0]]
        frames = coordinates[ends[i] - table['lengths'][i] : ends[i]]  # (T, 1, V, C)
        clips.append(torch.from_numpy(frames).transpose(0, 1)[None])
    return clips


@pytest.mark.parametrize('pool', ['mean', None])
@pytest.mark.parametrize('mode', ['mean', 'mean_max'])
def test_features_are_those_of_clips_without_padding(
    skeleton_config, skeleton_encoder, skeleton_folder, pool, mode
):
    encoder = replace(
        skeleton_encoder,
        clip=skeleton_encoder.clip[1:],  # without normalization
        backbone=dict(skeleton_encoder.backbone, pool=pool),
        pooling=dict(skeleton_encoder.pooling, mode=mode),
    )
    found = extract(skeleton_config, encoder)
    assert found['train'].labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    torch.manual_seed(0)
    backbone = Encoder.build(encoder).backbone
    for split in ('train', 'test'):
        slow = []
        for clip in clips_of(skeleton_folder, split):
            with torch.no_grad():
                output = backbone(clip)[0, 0, :, :, 0]  # (D, T'), nothing of it is padded
            parts = [output.mean(dim=1), output.amax(dim=1)]
            slow.append(torch.cat(parts[: 1 if mode == 'mean' else 2]).numpy())
        np.testing.assert_allclose(found[split].values, np.stack(slow), atol=1e-6)
