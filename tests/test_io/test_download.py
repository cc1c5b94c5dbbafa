"""A download takes its name once it is complete and has the expected hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.download import download


def test_a_file_takes_its_name_once_it_is_accepted(tmp_path: Path):
    content = b'weights' * 99_999
    there = tmp_path / 'x.bin'
    there.write_bytes(content)
    path = tmp_path / 'new' / 'y.bin'
    with pytest.raises(CheckpointError, match=r'x\.bin has sha256 \w+, 0000 is expected: try'):
        download(there.as_uri(), path, '0000')
    assert not any(path.parent.iterdir())
    download(there.as_uri(), path, hashlib.sha256(content).hexdigest()[:8])
    assert path.read_bytes() == content
    there.unlink()
    for address in (there.as_uri(), 'http://127.0.0.1:9/x.bin'):
        with pytest.raises(CheckpointError, match=r'x\.bin: download failed \(.*by hand') as error:
            download(address, path)
        assert '\n' not in str(error.value)
    assert [p.read_bytes() for p in path.parent.iterdir()] == [content], 'no part is left'
