"""model-index.yml names the top-level configs that exist and the published models."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())


def test_mim_finds_links_to_the_files_of_the_checkout():
    """A copy would go stale; editors that replace a file turn a link into one."""
    for path in (ROOT / 'mmact_ssl' / '.mim').iterdir():
        assert path.is_symlink() and path.resolve() == ROOT / path.name


def test_every_top_level_config_and_published_model_has_one_entry_of_its_name():
    configs = {path.stem for path in (ROOT / 'configs').glob('*.py')}
    published = json.loads((ROOT / 'zoo' / 'index.json').read_text())
    table = (ROOT / 'docs/start/model_zoo.md').read_text()
    assert all(f'\n| {name} | ' in table for name in published)
    files = {name: f'zoo/{entry["file"]}' for name, entry in published.items()}
    names = [model['Name'] for model in INDEX['Models']]
    assert sorted(names) == sorted(configs | published.keys())
    collections = {collection['Name']: collection['README'] for collection in INDEX['Collections']}
    assert all((ROOT / readme).is_file() for readme in collections.values())
    for model in INDEX['Models']:
        assert Path(model['Config']).stem in configs
        assert model['Name'] in published or model['Name'] == Path(model['Config']).stem
        assert model.get('Weights') == files.get(model['Name'])
        assert model['In Collection'] in collections
        for result in model.get('Results', []):
            assert {'Task', 'Dataset', 'Metrics', 'Seeds'} <= set(result), model['Name']
            assert all(0 <= value <= 100 for value in result['Metrics'].values())
