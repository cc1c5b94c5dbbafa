"""Every protocol on skeleton clips: padding must not be felt, and labels must be in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.features import feature_dataloader
from mmact_ssl.evaluation.protocols.finetune import LABELED_SAMPLES
from mmact_ssl.evaluation.student import build_recognizer
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
def test_features_are_those_of_clips_without_padding(skeleton_config, skeleton_folder, pool, mode):
    skeleton_config.model.backbone.pool = pool
    skeleton_config.feature_pooling.mode = mode
    found = extract(skeleton_config)
    assert found['train'].labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    backbone = build_recognizer(skeleton_config, 0).backbone.eval()
    for split in ('train', 'test'):
        slow = []
        for clip in clips_of(skeleton_folder, split):
            with torch.no_grad():
                output = backbone(clip)[0, 0, :, :, 0]  # (D, T'), nothing of it is padded
            parts = [output.mean(dim=1), output.amax(dim=1)]
            slow.append(torch.cat(parts[: 1 if mode == 'mean' else 2]).numpy())
        np.testing.assert_allclose(found[split].values, np.stack(slow), atol=1e-6)


def test_all_protocols_run_and_know_the_classes(skeleton_config, tmp_path, run):
    names = ['linear', 'linear-adam', 'knn', 'retrieval', 'finetune']
    results = run(skeleton_config, names, work_dir=str(tmp_path / 'run'))
    assert [result.protocol for result in results] == names
    for result in results:
        if result.protocol != 'retrieval':
            assert result.details['classes'] == ['carry', 'sit down', 'wave']
            assert np.sum(result.details['confusion']) == 6
    assert len((tmp_path / 'run' / LABELED_SAMPLES).read_text().splitlines()) == 12


def test_skeletons_without_pooling_are_refused(skeleton_config, run):
    skeleton_config.feature_pooling = None
    with pytest.raises(ConfigError, match=r'skeleton\.py: skeletons are padded.*feature_pooling='):
        run(skeleton_config, ['knn'])


def test_features_are_read_in_order_whatever_the_batches_were(skeleton_config):
    skeleton_config.test_dataloader['batch_sampler'] = dict(type='torch.BatchSampler')
    assert 'batch_sampler' not in feature_dataloader(skeleton_config, 'test')
