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


def test_every_named_config_exists():
    missing = [
        model['Config'] for model in INDEX['Models'] if not (ROOT / model['Config']).is_file()
    ]
    assert missing == []


def test_every_top_level_config_is_named():
    existing = sorted(f'configs/{path.name}' for path in (ROOT / 'configs').glob('*.py'))
    assert sorted(model['Config'] for model in INDEX['Models']) == existing


def test_a_name_is_its_config_and_its_collection_exists():
    collections = {collection['Name'] for collection in INDEX['Collections']}
    for model in INDEX['Models']:
        assert model['Name'] == Path(model['Config']).stem
        assert model['In Collection'] in collections


def test_readmes_exist():
    for collection in INDEX['Collections']:
        assert (ROOT / collection['README']).is_file(), collection['README']


def test_numbers_come_with_the_runs_that_made_them():
    """A result needs its task, data and seeds, weights need their hash in the file name."""
    for model in INDEX['Models']:
        for result in model.get('Results', []):
            assert {'Task', 'Dataset', 'Metrics', 'Seeds'} <= set(result), model['Name']
            assert all(0 <= value <= 100 for value in result['Metrics'].values())
        if 'Weights' in model:
            digest = Path(model['Weights']).stem.rsplit('-', 1)[-1]
            assert len(digest) == 8
            assert int(digest, 16) >= 0
