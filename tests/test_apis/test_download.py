"""Models by name: shipped, downloaded, damaged, forged."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from mmact_ssl.apis import list_models, load_model, read_identity
from mmact_ssl.apis import zoo as module
from mmact_ssl.apis.zoo import add_to_index, download_model, find_model, find_published, read_index
from mmact_ssl.errors import CheckpointError, DataError
from tests.test_apis.test_model import Bomb
from tools.download import main


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty zoo in place of the package's, and an empty cache."""
    folder = tmp_path / 'zoo'
    folder.mkdir()
    (folder / 'index.json').write_text('{}')
    monkeypatch.setattr(module, 'zoo_folder', lambda: folder)
    monkeypatch.setattr(module, 'cache_folder', lambda: tmp_path / 'cache')
    monkeypatch.delenv('MMACT_SSL_ZOO', raising=False)
    return folder


@pytest.fixture
def shipped(zoo: Path, published: Path) -> Path:
    """The file of a model in the package."""
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
    return zoo / published.name


@pytest.fixture
def small(shipped: Path, published: Path) -> Path:
    """A model that the package knows and does not hold; its file."""
    shipped.unlink()
    return published


def test_a_shipped_model_is_loaded_by_name(zoo, shipped, published, tmp_path, capsys):
    assert list_models() == list_models('sm*') == ['small']
    assert list_models('x*') == []
    model = load_model('small')
    assert model.sha256 == read_index(zoo / 'index.json')['small'].sha256
    with pytest.raises(CheckpointError, match=r"no model 'smal': .*\(small\)"):
        load_model('smal')
    main(['sm*', '--dest', str(tmp_path / 'dest')])
    assert (tmp_path / 'dest' / published.name).read_bytes() == published.read_bytes()
    assert 'trained on demo; none' in capsys.readouterr().out
    main([])
    assert capsys.readouterr().out == 'small\n'


def test_a_file_of_another_hash_is_not_parsed(zoo, small, monkeypatch):
    (zoo / small.name).write_bytes(small.read_bytes()[:-1] + b'x')
    monkeypatch.setattr('mmact_ssl.apis.load.card_from', lambda _: pytest.fail('it is parsed'))
    with pytest.raises(CheckpointError, match=r'has sha256 \w{64}, \w{64} is expected'):
        load_model('small')


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_one_word_is_one_student_in_all_programs(kind, shipped, published, tmp_path, monkeypatch):
    of_zoo, said = str(shipped), []
    for path in (str(published), 'epoch_1.pth', 'work_dirs/small'):
        assert find_model(path) == path
    (tmp_path / 'current').mkdir()
    monkeypatch.chdir(tmp_path / 'current')
    monkeypatch.setattr(module, 'print_log', lambda text, *_: said.append(text))
    assert find_model('small') == of_zoo and not said
    Path('small').mkdir() if kind == 'folder' else Path('small').write_bytes(b'no model')
    assert find_model('small') == 'small'
    for read in (load_model, read_identity):
        with pytest.raises(CheckpointError, match='^small: ') as error:
            read('small')
        assert kind == 'file' or 'by tools/publish_model.py, without' in str(error.value)
    assert len(said) == 3
    assert all(f'small is a {kind} here and a published model: ./small is' in line for line in said)
    # Downloads are named by a list, not by a user.
    assert find_published('small') == of_zoo
    assert download_model('small', tmp_path / 'dest').name == published.name
    Path('small').rename('other')
    assert find_model('other') == 'other' and len(said) == 3


def test_without_an_address_the_error_says_what_to_set(small):
    with pytest.raises(CheckpointError, match='set MMACT_SSL_ZOO to the address of a folder'):
        load_model('small')


def test_a_download_is_kept(small, tmp_path, monkeypatch):
    monkeypatch.setenv('MMACT_SSL_ZOO', small.parent.as_uri())
    assert load_model('small').card.name == 'small'
    assert [path.name for path in (tmp_path / 'cache').iterdir()] == [small.name]
    monkeypatch.setenv('MMACT_SSL_ZOO', (tmp_path / 'nowhere').as_uri())
    assert load_model('small').card.name == 'small', 'nothing is downloaded'


def test_a_file_that_is_not_the_expected_one_is_refused(small, tmp_path, monkeypatch):
    """A pickle among them, which would run code."""
    monkeypatch.setenv('MMACT_SSL_ZOO', small.parent.as_uri())
    content, mark = small.read_bytes(), tmp_path / 'exploded'
    for wrong in (content[:-100], content + b'x', content[:-1] + b'x', pickle.dumps(Bomb(mark))):
        small.write_bytes(wrong)
        with pytest.raises(CheckpointError, match=f'^file://.*{small.name} has sha256 .* is expec'):
            load_model('small')
        assert not any((tmp_path / 'cache').iterdir())
    assert not mark.exists()
    small.unlink()
    with pytest.raises(CheckpointError, match=r'download failed \(.*: try again'):
        load_model('small')


OWN = 'a-00000000.safetensors'


@pytest.mark.parametrize(
    'entry',
    [
        {'a': {}},
        {'a': dict(file=f'../{OWN}', sha256='0' * 64, size=1)},
        {'a': dict(file='torch.py', sha256='0' * 64, size=1)},
        {'a': dict(file='index.json', sha256='0' * 64, size=1)},
        {'a': dict(file=f'b{OWN[1:]}', sha256='0' * 64, size=1)},
        {'a': dict(file='a-00000001.safetensors', sha256='0' * 64, size=1)},
        {'a': dict(file=OWN, sha256='0', size=1)},
        {'a': dict(file=OWN, sha256='0' * 64, size=0)},
        {'a': dict(file=OWN, sha256='0' * 64, size=1.5)},
        {'../a': dict(file=f'../{OWN}', sha256='0' * 64, size=1)},
        {'a': dict(file=OWN, sha256='0' * 64, size=1, more=1)},
        {'a': dict(file=1, sha256='0' * 64, size='1')},
    ],
)
def test_a_forged_index_is_refused(zoo, entry):
    (zoo / 'index.json').write_text(json.dumps(entry))
    with pytest.raises((CheckpointError, DataError), match='index'):
        list_models()
