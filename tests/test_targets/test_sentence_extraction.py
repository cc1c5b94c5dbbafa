"""Sentences that have changed are embedded anew, the others once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.errors import DataError
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionReport, extract_sentences, read_annotations

SENTENCES = {'a': ['one', 'three'], 'b': ['seven'], 'clap': ['hands meet']}


class TextTeacher(BaseTeacher):
    """Teacher whose answer is the length of a sentence: (S, D=1)."""

    kind = 'text'

    def __init__(self) -> None:
        super().__init__({}, {})
        self.seen: list[str] = []

    def embed(self, sentences: list[str]) -> torch.Tensor:
        self.seen += sentences
        return torch.tensor([[len(line)] for line in sentences]).float()


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / 't.lmdb'
    extract(path, SENTENCES)
    return path


def extract(path, sentences) -> tuple[ExtractionReport, list[str]]:
    teacher = TextTeacher()
    report = extract_sentences(teacher, sentences, path)
    return report, teacher.seen


def test_sentences_that_differ_are_embedded_anew(cache):
    report, seen = extract(cache, {**SENTENCES, 'b': ['eleven'], 'c': ['up']})
    assert (report.written, report.renewed, report.skipped) == (2, 1, 2)
    assert seen == ['eleven', 'up']
    reader = TargetReader(cache)
    np.testing.assert_array_equal(reader.get('b'), [[6]])
    np.testing.assert_array_equal(reader.get('a'), [[3], [5]])
    assert reader.keys() == ['a', 'b', 'c', 'clap']


def test_keys_that_the_file_no_longer_has_are_removed(cache):
    long = 'x' * 600  # over LMDB's limit: kept under its hash
    extract(cache, {**SENTENCES, long: ['far']})
    report, seen = extract(cache, {'b': ['seven'], long: ['far'], 'new': ['up']})
    assert (report.written, report.skipped, report.removed, seen) == (1, 2, 2, ['up'])
    reader = TargetReader(cache)
    assert len(reader.keys()) == 3 and reader.lookup_all([long]) == [long]
    assert {'a', 'clap'}.isdisjoint(reader.keys())
    assert reader.source_hashes(['a']) == {}, 'nor does the record stay'
    report, _ = extract(cache, {'b': ['seven'], long: ['far'], 'new': ['up']})
    assert (report.skipped, report.removed) == (3, 0)


def test_a_file_without_any_key_of_the_cache_does_not_empty_it(cache):
    with pytest.raises(DataError, match=r"t\.lmdb holds 3 keys, e\.g\. 'a', and none of the file"):
        extract(cache, {'sit down': ['one sits']})
    assert TargetReader(cache).keys() == ['a', 'b', 'clap']
    teacher = TextTeacher()
    extract_sentences(teacher, {'sit': ['x']}, cache, overwrite=True)
    assert TargetReader(cache).keys() == ['sit']


def test_annotations_name_each_video_once(tmp_path):
    (tmp_path / 'a.txt').write_text('x/a b.mp4 3\nc.mp4\n')
    (tmp_path / 'b.txt').write_text('c.mp4 1\nf.mp4 0\n')
    names = read_annotations([tmp_path / 'a.txt', tmp_path / 'b.txt'])
    assert names == ['x/a b.mp4', 'c.mp4', 'f.mp4']
    with pytest.raises(DataError, match=r'd.txt is missing: prepare the data set.*--ann'):
        read_annotations([tmp_path / 'd.txt'])
