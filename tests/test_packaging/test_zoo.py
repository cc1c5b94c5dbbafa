"""The shipped models: names, configs, files, hashes, page and index agree, and all can be used."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis import embed, list_models, load_model
from mmact_ssl.datasets.layouts import COMMON, LAYOUTS
from mmact_ssl.io.records import NAME
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import INDEX, read_index

ROOT = Path(__file__).parents[2]
ENTRIES = read_index(ROOT / 'zoo' / INDEX)


def test_the_folder_holds_what_its_index_says_and_is_small():
    sizes = {path.name: path.stat().st_size for path in (ROOT / 'zoo').iterdir()}
    assert sizes.pop(INDEX) > 0
    assert sizes == {entry.file: entry.size for entry in ENTRIES.values()}
    assert all(size <= 8e6 for size in sizes.values())
    assert sum(sizes.values()) <= 40e6
    for name, entry in ENTRIES.items():
        assert entry.file == f'{name}-{entry.sha256[:8]}.safetensors'


@pytest.mark.parametrize('name', ENTRIES)
def test_a_shipped_model_is_whole_and_says_where_it_comes_from(name: str):
    assert name in list_models()
    path = ROOT / 'zoo' / ENTRIES[name].file
    card, model = StudentFile.read(path).card, load_model(name)
    config = model.config
    assert card.name == model.name == name and model.sha256 == ENTRIES[name].sha256
    assert card.encoder == config.record
    assert NAME.fullmatch(card.data) and NAME.fullmatch(card.config)
    assert re.fullmatch('[0-9a-f]{64}', card.source_sha256)
    assert 'not stated' not in (card.method, card.licence, card.trained_on)
    if 'nwucla' in name:
        assert 'CC BY-NC' in card.licence
    generator = np.random.default_rng(0)
    if config.is_skeleton:
        # The common joints are converted from any others.
        layout = 'kinect20' if config.layout == COMMON else config.layout
        clips = generator.normal(size=(2, 1, 40, LAYOUTS[layout].num_joints, 3))
    else:
        clips = generator.integers(0, 256, (2, 40, 96, 128, 3), np.uint8)
    features = embed(model, [*clips])
    assert features.shape == (2, config.feature_dim)
    assert np.isfinite(features).all() and not np.allclose(*features)
