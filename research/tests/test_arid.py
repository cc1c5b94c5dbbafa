"""The preparation of ARID, on a small made folder."""

from __future__ import annotations

import pytest

from mmact_ssl.errors import DataError
from research.parts.arid import prepare
from tests.test_preparation.helpers import lines, make_video


@pytest.fixture
def arid(tmp_path):
    source = tmp_path / 'source'
    for i, name in enumerate(('train/Jump/Jump_11_1.mp4', 'train/Run/Run_1_2.mp4', 'val/24.mp4')):
        make_video(source / name, seed=i)
    (source / 'mapping_table_23.txt').write_text('0\tJump\n1\tRun\n')
    rows = b'0\t0\tJump/Jump_11_1.mp4\r\n1\t1\tRun/Run_1_2.mp4\r\n'  # as it is distributed
    (source / 'train.txt').write_bytes(rows)
    (source / 'validate.txt').write_bytes(b'0\t1\t24.mp4\r\n')
    return source


def test_arid_keeps_its_split(arid, tmp_path):
    out = tmp_path / 'out'
    assert prepare(arid, out) == {'train': 2, 'test': 1, 'left_out': 0}
    train = ['videos/train/Jump/Jump_11_1.mp4 0', 'videos/train/Run/Run_1_2.mp4 1']
    assert lines(out / 'train.txt') == train
    assert lines(out / 'test.txt') == ['videos/val/24.mp4 1']
    assert lines(out / 'classes.txt') == ['Jump', 'Run']
    assert (out / 'videos/val/24.mp4').read_bytes() == (arid / 'val/24.mp4').read_bytes()
    (arid / 'mapping_table_23.txt').write_text('1\tRun\n0\tJump\n')  # in any order
    prepare(arid, out)
    assert lines(out / 'classes.txt') == ['Jump', 'Run']
    (arid / 'val/24.mp4').write_bytes(b'nothing')
    assert prepare(arid, tmp_path / 'other') == {'train': 2, 'test': 0, 'left_out': 1}
    assert lines(tmp_path / 'other/left_out.txt')[0].startswith('val/24.mp4\tdoes not open: ')


@pytest.mark.parametrize(
    'file,text,message',
    [
        ('validate.txt', '0\t2\t24.mp4', 'label 2 of videos/val/24.mp4 has no class'),
        ('mapping_table_23.txt', '0\tJump\n2\tRun\n', 'its classes are not numbered 0, 1, ...;'),
        ('validate.txt', '0 1 24.mp4', 'validate.txt:1: has 1 cells, not 3; point --source at'),
        ('validate.txt', '0\t1\t../../24.mp4', 'validate.txt'),
    ],
)
def test_arid_says_what_is_wrong(arid, tmp_path, file, text, message):
    (arid / file).unlink()
    if text is not None:
        (arid / file).write_text(text)
    with pytest.raises(DataError, match=message):
        prepare(arid, tmp_path / 'out')
