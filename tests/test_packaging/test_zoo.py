"""The shipped models: names, configs, files, hashes, page and index agree, and all can be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from mmact_ssl.apis import list_models, load_model
from mmact_ssl.apis.zoo import INDEX, read_index
from mmact_ssl.errors import ConfigError
from mmact_ssl.shipped_configs import find_config

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
        # As it was called when the model was published.
        if not (ROOT / figure['config']).is_file():
            with pytest.raises(ConfigError, match='no such config'):
                find_config(ROOT / figure['config'])
        assert figure['test_clips'] > 0 and 0 <= figure['value'] <= 1
    generator = torch.Generator().manual_seed(0)
    if card.kind == 'video':
        frames = [
            torch.randint(0, 255, (40, 96, 128, 3), generator=generator, dtype=torch.uint8).numpy()
            for _ in range(2)
        ]
        samples = [dict(array=clip, modality='RGB', start_index=0) for clip in frames]
        for sample, clip in zip(samples, frames):
            sample.update(total_frames=len(clip))
    else:
        from mmact_ssl.models.skeletons import find_layout

        joints = find_layout(card.layout).num_joints
        shape = (card.num_persons, 40, joints, 3)
        clips = [torch.randn(shape, generator=generator).numpy() for _ in range(2)]
        samples = [
            dict(keypoint=clip, total_frames=40, label=-1, layout=card.layout, frame_dir='x')
            for clip in clips
        ]
    features = model.features([model.transform(sample) for sample in samples])
    assert features.shape == (2, card.feature_dim)
    assert features.isfinite().all() and not torch.allclose(features[0], features[1])
