"""The tests that ``make check`` chooses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.changed import changed_files, mirrored_tests


@pytest.mark.parametrize(
    ('path', 'tests'),
    [
        ('mmact_ssl/files.py', ['tests/test_files.py']),
        ('mmact_ssl/models/losses/nt_xent.py', ['tests/test_models/test_losses/test_nt_xent.py']),
        ('mmact_ssl/models/pretrainer.py', ['tests/test_models/test_pretrainer']),
        ('tools/train.py', ['tests/test_tools/test_train.py']),
        ('tests/test_files.py', ['tests/test_files.py']),
        ('tests/test_deleted.py', []),
        ('tests/helpers/changed.py', ['tests/test_helpers/test_changed.py']),
        ('tests/test_apis/conftest.py', ['tests/test_apis']),
        ('docs/extend/data.md', ['tests/test_packaging/test_docs.py']),
        (
            'configs/a_new_one.py',
            ['tests/test_configs/test_every_config.py', 'tests/test_packaging/test_model_index.py'],
        ),
        ('Makefile', ['tests/test_packaging/test_requirements.py']),
        ('a_new_folder/a_file', []),
    ],
)
def test_a_file_has_the_tests_of_the_mirrored_tree(path: str, tests: list[str]):
    assert [*map(str, mirrored_tests(Path(path)))] == tests


def test_a_module_without_a_test_file_has_those_that_name_it(tmp_path: Path):
    folder = tmp_path / 'tests' / 'test_a'
    folder.mkdir(parents=True)
    (folder / 'test_one.py').write_text('from mmact_ssl.a import part')
    (folder / 'test_two.py').write_text('from mmact_ssl.a import parts')
    found = mirrored_tests(Path('mmact_ssl/a/part.py'), tmp_path)
    assert found == [Path('tests/test_a/test_one.py')]


def test_committed_uncommitted_and_new_files_are_changed(tmp_path: Path, monkeypatch):
    def git(*words: str) -> None:
        who = ('-c', 'user.name=a', '-c', 'user.email=a@b.example')
        subprocess.run(['git', *who, *words], cwd=tmp_path, check=True, capture_output=True)

    def write(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_text('changed')

    monkeypatch.setattr('tests.helpers.changed.ROOT', tmp_path)
    git('init', '-q', '-b', 'main')
    for name in ('kept', 'committed', 'uncommitted', 'deleted'):
        (tmp_path / name).write_text(name)
    git('add', '.')
    git('commit', '-qm', 'first')
    git('checkout', '-qb', 'mine')
    write('committed')
    git('commit', '-qam', 'second')
    write('uncommitted', 'new')
    (tmp_path / 'deleted').unlink()
    found = sorted(map(str, changed_files()))
    assert found == ['committed', 'deleted', 'new', 'uncommitted']
