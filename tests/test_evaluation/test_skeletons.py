"""Features of skeleton clips: padding must not be felt, and labels must be in their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.io.files import read_annotation
from tests.test_evaluation.test_features import extract


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
    folder, slow = open_skeleton_folder(skeleton_folder, ''), {}
    clips = np.split(folder._coordinates, np.cumsum(folder.lengths)[:-1])
    for name, clip in zip(folder.names, clips):
        with torch.no_grad():
            output = backbone(torch.from_numpy(clip).transpose(0, 1)[None])[0, 0, :, :, 0]
        parts = [output.mean(dim=1), output.amax(dim=1)]  # of (D, T'), nothing is padded
        slow[name] = torch.cat(parts[: 1 if mode == 'mean' else 2]).numpy()
    for split in ('train', 'test'):
        names, _ = read_annotation(skeleton_folder / f'xview_{split}.txt', '')
        expected = np.stack([slow[name] for name in names])
        np.testing.assert_allclose(found[split].values, expected, atol=1e-6)
