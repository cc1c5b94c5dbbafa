"""Models by name: shipped, damaged, forged."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from mmact_ssl.apis import list_models, load_model
from mmact_ssl.errors import CheckpointError
from mmact_ssl.io import zoo as module
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import add_to_index, download_model, find_published, read_index
from tests.test_io.test_checkpoint_file import RunsCode
from tools.download import main


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty zoo in place of the package's."""
    folder = tmp_path / 'zoo'
    folder.mkdir()
    (folder / 'index.json').write_text('{}')
    monkeypatch.setattr(module, 'zoo_folder', lambda: folder)
    return folder


@pytest.fixture
def published(publish: Any, student_checkpoint: Path, tmp_path: Path) -> Path:
    return publish(student_checkpoint, tmp_path, 'small')


@pytest.fixture
def shipped(zoo: Path, published: Path) -> Path:
    """The file of a model in the package."""
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
    return zoo / published.name


def test_a_shipped_model_is_loaded_by_name(zoo, shipped, published, tmp_path, capsys):
    assert list_models() == list_models('sm*') == ['small']
    assert list_models('x*') == []
    model = load_model('small')
    assert model.sha256 == read_index(zoo / 'index.json')['small'].sha256
    with pytest.raises(CheckpointError, match=r"no model 'smal': .*\(small\)"):
        load_model('smal')
    main(['sm*', '--dest', str(tmp_path / 'dest')])
    assert (tmp_path / 'dest' / published.name).read_bytes() == published.read_bytes()
    assert 'trained on made; not stated' in capsys.readouterr().out
    main([])
    assert capsys.readouterr().out == 'small\n'


def test_a_file_of_another_hash_is_not_parsed(shipped, tmp_path, monkeypatch):
    """A pickle among them, which would run code."""
    content, mark = shipped.read_bytes(), tmp_path / 'exploded'
    with monkeypatch.context() as patch:
        patch.setattr('mmact_ssl.io.student_file.parse_card', pytest.fail)
        for wrong in (
            content[:-100],
            content + b'x',
            content[:-1] + b'x',
            pickle.dumps(RunsCode(mark)),
        ):
            shipped.write_bytes(wrong)
            with pytest.raises(CheckpointError, match=r'has sha256 \w{64}, \w{64} is expected'):
                load_model('small')
    assert not mark.exists()


def test_a_model_that_is_not_shipped_is_downloaded_once(shipped, published, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.delenv('MMACT_SSL_ZOO', raising=False)
    shipped.unlink()
    with pytest.raises(CheckpointError, match='set MMACT_SSL_ZOO to the address of a folder'):
        load_model('small')
    base = tmp_path / 'base'
    base.mkdir()
    (base / published.name).write_bytes(published.read_bytes() + b'x')
    monkeypatch.setenv('MMACT_SSL_ZOO', base.as_uri())
    with pytest.raises(CheckpointError, match=r'^file://.*has sha256 \w{64}, \w{64} is expected'):
        load_model('small')
    shutil.copy(published, base)
    assert load_model('small').name == 'small'
    shutil.rmtree(base)
    assert load_model('small').name == 'small', 'nothing is downloaded'


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_one_word_is_one_student_in_all_programs(kind, shipped, published, tmp_path, monkeypatch):
    of_zoo = str(shipped)
    for path in ('epoch_1.pth', 'work_dirs/small'):
        with pytest.raises(CheckpointError, match=f'^{path}'):
            StudentFile.read(path)
    (tmp_path / 'current').mkdir()
    monkeypatch.chdir(tmp_path / 'current')
    assert StudentFile.read('small').path == of_zoo
    Path('small').mkdir() if kind == 'folder' else Path('small').write_bytes(b'no model')
    with pytest.raises(CheckpointError, match='^small: '):
        load_model('small')
    # Downloads are named by a list, not by a user.
    assert find_published('small') == of_zoo
    assert download_model('small', tmp_path / 'dest').name == published.name
    Path('small').rename('other')
    with pytest.raises(CheckpointError, match='^other: '):
        load_model('other')


def publish_ten(folder: Path, process: int) -> None:
    for number in range(10):
        name, content = f'm{process}-{number}', f'{process} {number}'.encode()
        path = folder / f'{name}-{hashlib.sha256(content).hexdigest()[:8]}.safetensors'
        path.write_bytes(content)
        add_to_index(path, name)


def test_models_that_are_published_at_the_same_time_are_all_in_the_index(zoo):
    with ProcessPoolExecutor(4, mp_context=get_context('fork')) as pool:
        list(pool.map(publish_ten, [zoo] * 4, range(4)))
    assert len(read_index(zoo / 'index.json')) == 40
