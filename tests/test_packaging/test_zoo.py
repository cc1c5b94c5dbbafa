"""The shipped models: names, configs, files, hashes, page and index agree, and all can be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from mmact_ssl.apis import embed, list_models, load_model
from mmact_ssl.apis.zoo import INDEX, read_index
from mmact_ssl.datasets.layouts import COMMON, LAYOUTS

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


def test_the_page_and_the_index_name_the_files():
    table = (ROOT / 'docs/start/model_zoo.md').read_text()
    assert all(f'\n| {name} | ' in table for name in ENTRIES)
    models = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Models']
    weights = {model['Weights'] for model in models if 'Weights' in model}
    assert weights and weights <= {f'zoo/{entry.file}' for entry in ENTRIES.values()}


@pytest.mark.parametrize('name', ENTRIES)
def test_a_shipped_model_is_whole_and_says_where_it_comes_from(name: str):
    assert name in list_models()
    model = load_model(name)
    card = model.card
    assert card.name == name and model.sha256 == ENTRIES[name].sha256
    assert 'not stated' not in (card.method, card.licence, card.trained_on)
    if 'nwucla' in name:
        assert 'CC BY-NC' in card.licence
    assert card.results
    for figure in card.results:
        assert figure['test_clips'] > 0 and 0 <= figure['value'] <= 1
    generator = np.random.default_rng(0)
    if card.kind == 'video':
        clips = generator.integers(0, 256, (2, 40, 96, 128, 3), np.uint8)
    else:
        layout = 'kinect20' if card.layout == COMMON else card.layout  # converted from any
        shape = (2, card.num_persons, 40, LAYOUTS[layout].num_joints, 3)
        clips = generator.normal(size=shape)
    features = embed(model, [*clips])
    assert features.shape == (2, card.feature_dim)
    assert np.isfinite(features).all() and not np.allclose(*features)
