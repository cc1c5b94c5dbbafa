"""Downloads end: of servers that never end, drip, or send too much."""

from __future__ import annotations

import hashlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from mmact_ssl import download as module
from mmact_ssl.download import check_hash, download
from mmact_ssl.errors import CheckpointError

OK = b'HTTP/1.1 200 OK\r\n'


@contextmanager
def serving(answer: Callable[[Callable[[bytes], None]], None]) -> Iterator[str]:
    """A server on this machine that answers by calling ``answer(send)``; gives its address."""
    over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass

            def send(data: bytes, pause: float = 0) -> None:
                if over.wait(pause):
                    raise ConnectionError
                self.wfile.write(data)

            with suppress(OSError):
                answer(send)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_address[1]}/x.bin'
        over.set()
        server.shutdown()


def endless(send: Callable[[bytes], None], head: bytes = b'\r\n', block: bytes = bytes(1 << 16)):
    send(OK + head)
    while True:
        send(block)


def drip(send: Callable[..., None], head: bytes) -> None:
    send(OK + head)
    while True:
        send(b'a', 0.02)


ENDLESS = {
    'without a length': endless,
    'in chunks': partial(
        endless,
        head=b'Transfer-Encoding: chunked\r\n\r\n',
        block=b'8\r\nxxxxxxxx\r\n' * 999,
    ),
    'of a false length': partial(endless, head=b'Content-Length: 99999999999\r\n\r\n'),
}


@pytest.mark.parametrize('kind', ENDLESS)
def test_a_server_that_never_ends_is_left_at_the_limit(tmp_path: Path, kind: str):
    path = tmp_path / 'x.bin'
    path.write_text('before')
    with (
        serving(ENDLESS[kind]) as address,
        pytest.raises(CheckpointError, match=r'more than the 3000000 bytes expected'),
    ):
        download(address, path, lambda *_: pytest.fail('accepted'), limit=3_000_000)
    assert [p.read_text() for p in tmp_path.iterdir()] == ['before']


@pytest.mark.parametrize(
    'head',
    [b'\r\n', b'Content-Length: 9999\r\n\r\n', b'X-Long: ', b'Transfer-Encoding: chunked\r\n\r\n'],
)
def test_a_server_that_drips_is_left(tmp_path: Path, monkeypatch, head: bytes):
    """Each byte comes in time, of the body as of the head; all of them never would."""
    monkeypatch.setattr(module, 'SECONDS', 0.5)
    with (
        serving(partial(drip, head=head)) as address,
        pytest.raises(
            CheckpointError, match=r'x\.bin: download failed \(timed out.*fetch it to .* by hand'
        ),
    ):
        download(address, tmp_path / 'x.bin', lambda *_: pytest.fail('accepted'))
    assert not any(tmp_path.iterdir())


def test_a_file_takes_its_name_once_it_is_accepted(tmp_path: Path):
    content = b'weights' * 99_999
    digest = hashlib.sha256(content).hexdigest()
    path = tmp_path / 'new' / 'x.bin'

    def whole(send: Callable[[bytes], None]) -> None:
        send(OK + b'\r\n' + content)

    def cut(send: Callable[[bytes], None]) -> None:
        send(OK + b'Content-Length: 700000\r\n\r\n' + content[:1000])

    with serving(cut) as address, pytest.raises(CheckpointError, match='1000 of 700000 bytes came'):
        download(address, path, lambda *_: pytest.fail('accepted'))
    with serving(whole) as address:
        with pytest.raises(CheckpointError, match=r'x\.bin has sha256 \w+, 0000 is expected'):
            download(address, path, partial(check_hash, expected='0000'))
        assert not any(path.parent.iterdir())
        download(address, path, partial(check_hash, expected=digest[:8]))
    assert path.read_bytes() == content
    with pytest.raises(CheckpointError, match=r'download failed \(.*refused'):
        download(address, path, partial(check_hash, expected=digest))
    assert path.read_bytes() == content
