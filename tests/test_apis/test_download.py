"""Models by name: shipped, from a web server, a folder, the hub; cut short, damaged, forged."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from mmact_ssl.apis import list_models, load_model, read_identity
from mmact_ssl.apis import zoo as module
from mmact_ssl.apis.zoo import (
    add_to_index,
    download_model,
    find_model,
    find_published,
    read_index,
)
from mmact_ssl.errors import CheckpointError, DataError
from tests.test_apis.test_model import Bomb
from tools.download import main


class Host:
    """A static web server of a folder, which breaks the next connection after ``limit`` bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.limit, self.asked = folder, None, []
        handler = functools.partial(Handler, self)
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.address = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, host: Host, *args) -> None:
        self.host = host
        super().__init__(*args)

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        path = self.host.folder / self.path[1:]
        self.host.asked.append(self.path[1:])
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        self.send_response(200)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        limit, self.host.limit = self.host.limit, None
        return self.wfile.write(content[:limit])


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    folder = tmp_path / 'host'
    folder.mkdir()
    host = Host(folder)
    yield host
    host.server.shutdown()
    host.server.server_close()


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
def small(zoo: Path, published: Path) -> Path:
    """A model that the package knows and does not hold; its file."""
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
    (zoo / published.name).unlink()
    return published


def test_a_shipped_model_is_loaded_by_name(zoo, published, tmp_path, capsys):
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
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


def test_a_published_model_is_evaluated_by_its_name(zoo, published, tmp_path):
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
    assert find_model('small') == str(zoo / published.name)
    for path in (str(published), 'epoch_1.pth', 'work_dirs/small'):
        assert find_model(path) == path
    with pytest.raises(CheckpointError, match=r"no model 'smal': .*\(small\)"):
        find_model('smal')
    dotted = f'small-1.5{published.name.removeprefix("small")}'
    shutil.copy(published, zoo / dotted)
    add_to_index(zoo / dotted, 'small-1.5')
    assert find_model('small-1.5') == str(zoo / dotted)
    (zoo / published.name).write_bytes(published.read_bytes()[:-1] + b'x')
    with pytest.raises(CheckpointError, match='is expected: delete it'):
        find_model('small')


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_one_word_is_one_student_in_all_programs(kind, zoo, published, tmp_path, monkeypatch):
    shutil.copy(published, zoo)
    add_to_index(zoo / published.name, 'small')
    of_zoo, said = str(zoo / published.name), []
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
    # Parts of a pair and downloads are named by a list, not by a user.
    assert find_published('small') == of_zoo
    assert download_model('small', tmp_path / 'dest').name == published.name
    Path('small').rename('other')
    assert find_model('other') == 'other' and len(said) == 3


def test_without_an_address_the_error_says_what_to_set(small):
    with pytest.raises(CheckpointError, match='set MMACT_SSL_ZOO to the address of a zoo'):
        load_model('small')


def test_a_download_is_kept_and_one_that_was_cut_leaves_nothing(host, small, tmp_path, monkeypatch):
    shutil.copy(small, host.folder)
    monkeypatch.setenv('MMACT_SSL_ZOO', host.address)
    host.limit = 1000
    with pytest.raises(CheckpointError, match=r'1000 of \d+ bytes came.*: try again'):
        load_model('small')
    assert not any((tmp_path / 'cache').iterdir())
    for asked in (2, 2):
        assert load_model('small').card.name == 'small'
        assert host.asked == [small.name] * asked
    assert [path.name for path in (tmp_path / 'cache').iterdir()] == [small.name]


def test_a_file_that_is_not_the_expected_one_is_refused(host, small, tmp_path, monkeypatch):
    content, there = small.read_bytes(), host.folder / small.name
    for address in (host.address, str(host.folder)):
        monkeypatch.setenv('MMACT_SSL_ZOO', address)
        for wrong in (content[:-100], content + b'x', content[:-1] + b'x'):
            there.write_bytes(wrong)
            with pytest.raises(CheckpointError, match='is expected|bytes expected') as error:
                load_model('small')
            assert address in str(error.value)
            assert not any((tmp_path / 'cache').iterdir())
    there.unlink()
    monkeypatch.setenv('MMACT_SSL_ZOO', host.address)
    with pytest.raises(CheckpointError, match='download failed .HTTP Error 404'):
        load_model('small')


def test_a_bomb_under_the_name_of_a_model_does_not_go_off(host, small, tmp_path, monkeypatch):
    monkeypatch.setenv('MMACT_SSL_ZOO', host.address)
    mark, there = tmp_path / 'exploded', host.folder / small.name
    there.write_bytes(pickle.dumps(Bomb(mark)).ljust(small.stat().st_size))
    with pytest.raises(CheckpointError, match=f'{small.name} has sha256 .* is expected'):
        load_model('small')
    # Even where the host's own list names its hash.
    torch.save(dict(state_dict=Bomb(mark)), host.folder / 'bomb')
    digest = hashlib.sha256((host.folder / 'bomb').read_bytes()).hexdigest()
    bomb = (host.folder / 'bomb').rename(host.folder / f'bomb-{digest[:8]}.safetensors')
    (host.folder / 'index.json').write_text('{}')
    add_to_index(bomb, 'bomb')
    with pytest.raises(CheckpointError, match=r'bomb-\w+\.safetensors: '):
        load_model('bomb')
    assert not mark.exists()


def test_offline_is_one_line_and_the_last_list_is_kept(host, small, monkeypatch):
    (host.folder / 'index.json').write_text('{}')
    shutil.copy(small, host.folder)
    theirs = small.name.replace('small', 'theirs')
    shutil.copy(small, host.folder / theirs)
    add_to_index(host.folder / theirs, 'theirs')
    monkeypatch.setenv('MMACT_SSL_ZOO', host.address)
    assert list_models() == ['small', 'theirs']
    assert load_model('theirs').card.name == 'small'
    host.limit = 10
    assert list_models() == ['small', 'theirs'], 'a list that was cut does not take its place'
    host.server.shutdown()
    host.server.server_close()
    assert list_models() == ['small', 'theirs']
    assert load_model('theirs').card.name == 'small', 'it is in the cache'
    with pytest.raises(CheckpointError, match=r'download failed \(.*refused.*\): try again'):
        load_model('small')


def test_a_server_that_says_nothing_is_not_waited_for(small, monkeypatch):
    monkeypatch.setattr('mmact_ssl.download.SECONDS', 0.2)
    with socket.create_server(('127.0.0.1', 0)) as silent:
        monkeypatch.setenv('MMACT_SSL_ZOO', f'http://127.0.0.1:{silent.getsockname()[1]}')
        with pytest.raises(CheckpointError, match=r'download failed \(timed out.*\): try again'):
            load_model('small')
        assert list_models() == ['small']


def test_a_folder_and_the_hub_are_addresses_too(zoo, small, tmp_path, monkeypatch):
    monkeypatch.setenv('MMACT_SSL_ZOO', str(small.parent))
    assert load_model('small').card.name == 'small'
    monkeypatch.setenv('MMACT_SSL_ZOO', str(tmp_path / 'nowhere'))
    shutil.rmtree(module.cache_folder())
    with pytest.raises(CheckpointError, match=r'nowhere/.* is missing: MMACT_SSL_ZOO is'):
        load_model('small')
    import huggingface_hub

    asked = []

    def download(repo, file, revision):
        asked.append((repo, file, revision))
        return str(small)

    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    monkeypatch.setenv('MMACT_SSL_ZOO', 'hf://lab/zoo@main/videos')
    assert load_model('small').card.name == 'small'
    assert asked == [('lab/zoo', f'videos/{small.name}', 'main')]
    path = tmp_path / 'another'
    path.write_bytes(b'another')
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', lambda *_, **__: str(path))
    shutil.rmtree(module.cache_folder(), ignore_errors=True)
    with pytest.raises(CheckpointError, match='is expected: refused'):
        load_model('small')
    monkeypatch.setenv('MMACT_SSL_ZOO', 'hf://lab')
    with pytest.raises(CheckpointError, match='write hf://owner/repository'):
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
        {'a': dict(file=OWN, sha256='0' * 64, size=1 << 40)},
        {'../a': dict(file=f'../{OWN}', sha256='0' * 64, size=1)},
        {'a': dict(file=OWN, sha256='0' * 64, size=1, more=1)},
        {'a': dict(file=1, sha256='0' * 64, size='1')},
    ],
)
def test_a_forged_index_is_refused(zoo, entry):
    (zoo / 'index.json').write_text(json.dumps(entry))
    with pytest.raises((CheckpointError, DataError), match='index'):
        list_models()


def test_a_list_gives_no_name_to_a_file_of_the_user(host, zoo, tmp_path, monkeypatch, capsys):
    """The kind: names that end in the current folder are the package's own."""
    monkeypatch.setenv('MMACT_SSL_ZOO', host.address)
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'thesis.tex').write_text('years')
    for file in ('thesis.tex', 'torch.py'):
        content = b'import os'
        (host.folder / file).write_bytes(content)
        entry = dict(file=file, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        (host.folder / 'index.json').write_text(json.dumps({'a': entry}))
        with pytest.raises(SystemExit, match='no model'):
            main(['*', '--dest', str(work)])
    assert [path.name for path in work.iterdir()] == ['thesis.tex']
    assert (work / 'thesis.tex').read_text() == 'years'


LOGIN = b'<!DOCTYPE html><html><title>Sign in</title></html>'


@pytest.mark.parametrize(
    'answer', [LOGIN, b'[]', b'null', b'{"a": 1}', b'', b'\xff', b'[' * 99_999]
)
def test_what_is_no_list_does_not_replace_the_last_one(host, small, tmp_path, monkeypatch, answer):
    """A login page of a hotel's network, status 200: afterwards the models still load offline."""
    theirs = small.name.replace('small', 'theirs')
    shutil.copy(small, host.folder / theirs)
    (host.folder / 'index.json').write_text('{}')
    add_to_index(host.folder / theirs, 'theirs')
    for address in (host.address, str(host.folder)):
        monkeypatch.setenv('MMACT_SSL_ZOO', address)
        good = (host.folder / 'index.json').read_bytes()
        assert load_model('theirs').card.name == 'small'
        (host.folder / 'index.json').write_bytes(answer)
        assert list_models() == ['small', 'theirs']
        assert load_model('theirs').card.name == 'small'
        (host.folder / 'index.json').write_bytes(good)
    files = [path.name for path in module.cache_folder().rglob('*') if path.is_file()]
    assert sorted(files) == ['index.json', 'index.json', theirs], 'no part stays'
