"""model-index.yml names the top-level configs that exist, all of them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())


def test_mim_finds_links_to_the_files_of_the_checkout():
    """A copy would go stale; editors that replace a file turn a link into one."""
    for path in (ROOT / 'mmact_ssl' / '.mim').iterdir():
        assert path.is_symlink() and path.resolve() == ROOT / path.name


def test_every_top_level_config_has_one_entry_of_its_name():
    existing = sorted(f'configs/{path.name}' for path in (ROOT / 'configs').glob('*.py'))
    assert sorted(model['Config'] for model in INDEX['Models']) == existing
    collections = {collection['Name']: collection['README'] for collection in INDEX['Collections']}
    assert all((ROOT / readme).is_file() for readme in collections.values())
    for model in INDEX['Models']:
        assert model['Name'] == Path(model['Config']).stem
        assert model['In Collection'] in collections
        for result in model.get('Results', []):
            assert {'Task', 'Dataset', 'Metrics', 'Seeds'} <= set(result), model['Name']
            assert all(0 <= value <= 100 for value in result['Metrics'].values())
