from __future__ import annotations

import hashlib
import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import (
    read_annotation,
    reading,
    sha256_of_file,
    write_atomically,
    writing_whole,
)


def test_hash_of_a_file_larger_than_one_block(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / 'file').write_bytes(content)
    assert sha256_of_file(tmp_path / 'file') == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(('data', 'written'), [('ä\n', b'\xc3\xa4\n'), (b'\x00\r\n', b'\x00\r\n')])
def test_text_and_bytes_replace_a_file_in_a_new_folder(tmp_path, data, written):
    path = tmp_path / 'new' / 'file'
    for _ in range(2):
        write_atomically(path, data)
        assert path.read_bytes() == written
    assert os.listdir(path.parent) == ['file']


def test_a_full_disk_leaves_the_old_file_and_is_named(tmp_path, monkeypatch):
    path = tmp_path / 'file'
    write_atomically(path, 'old')
    monkeypatch.setattr(Path, 'write_bytes', lambda *_: os.write(os.open('/dev/full', 1), b'x'))
    with pytest.raises(OSError, match=rf'No space left on device: .{path}'):
        write_atomically(path, 'new')
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file']


def _write_often(path, letter):
    for _ in range(50):
        write_atomically(path, letter * 100_000)


def test_two_writers_at_once_never_mix(tmp_path):
    path = tmp_path / 'file'
    context = get_context('fork')
    writers = [context.Process(target=_write_often, args=(path, letter)) for letter in 'ab']
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert set(path.read_text()) in ({'a'}, {'b'})
    assert os.listdir(tmp_path) == ['file']


def test_what_a_killed_writer_leaves_is_no_file_like_it(tmp_path):
    path = tmp_path / 'file.npz'

    def write():
        with writing_whole(path) as part:
            part.write_bytes(b'torn')
            os.kill(os.getpid(), signal.SIGKILL)

    process = get_context('fork').Process(target=write)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1 and not list(tmp_path.glob('*.npz'))


def test_annotation_with_and_without_labels(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_text(
        'v/a.mp4 3\n\nv/b.mp4\n  my clip.mp4\t12 \nmy clip 2.mp4\nc -1\nd\u2028e 0\n7\n',
        encoding='utf-8',
    )
    names, labels = read_annotation(path, 'run it')
    assert names == ['v/a.mp4', 'v/b.mp4', 'my clip.mp4', 'my clip 2.mp4', 'c', 'd\u2028e', '7']
    assert labels == [3, -1, 12, -1, -1, 0, -1]


def test_names_may_end_as_a_label_after_a_comma(tmp_path):
    (tmp_path / 'train.txt').write_text('walk,1\nrun\nwalk,2 4\n')
    assert read_annotation(tmp_path / 'train.txt', '') == (['walk,1', 'run', 'walk,2'], [-1, -1, 4])
    (tmp_path / 'train.txt').write_text('walk,1\nwalk,2\n')
    assert read_annotation(tmp_path / 'train.txt', '')[0] == ['walk,1', 'walk,2']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'train.txt is missing: run it'),
        (b'\n \n', 'train.txt is empty: run it'),
        (b'\xff 1\n', r'train.txt is not UTF-8 \(byte 0\): run it'),
        (b'a 0\n\nb -2\n', r'train\.txt:3: label -2 is neither .*: run it'),
        (b'a 1000000000\n', r'train\.txt:1: label 1000000000 is neither .*: run it'),
        (b'a.mp4;3\n\nb.mp4;0\n', r'train\.txt: a comma or semicolon stands before every label'),
        (b'my a.mp4, 3\n', r'train\.txt: a comma or semicolon stands before every label'),
    ],
)
def test_a_broken_annotation_names_the_file_and_the_fix(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'train.txt').write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_annotation(tmp_path / 'train.txt', 'run it')


def test_an_error_about_another_file_is_not_blamed_on_the_one_that_is_read(tmp_path):
    source = tmp_path / 'source'
    for inside in (source, source / 'a.txt'):
        missing = pytest.raises(DataError, match='source is missing: fetch it')
        with missing, reading(source, 'fetch it'):
            inside.read_text()
    with pytest.raises(FileNotFoundError, match='source-2'), reading(source, 'fetch it'):
        (tmp_path / 'source-2').read_text()
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(DataError, match='pipe: is a named pipe, a socket or a device'):
        read_annotation(tmp_path / 'pipe', 'fetch it')
