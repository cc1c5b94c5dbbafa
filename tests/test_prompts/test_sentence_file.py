"""Files of sentences: what is refused, and which clip a sentence belongs to."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import data_root
from mmact_ssl.prompts.sentence_file import match_clips, read_sentences, write_sentences

TEXT = st.text(st.characters(exclude_categories=('Cs',)), min_size=1).filter(str.strip)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'{"a": ["x"', 'Expecting .*: correct --sentences'),
        (b'{"c": ["x", " "]}', "'c' must have a list"),
        (b'{"d": ["caf\xe9"]}', r'not UTF-8 \(byte 11\): correct --sentences'),
        (b'{"e": ["x"], "e": ["y"]}', "key 'e' comes twice"),
        (b'{"f": ["x", "' + b'so ' * 10_000 + b'"]}', "'f' has a sentence of 10000 words"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / 's.json'
    file.write_bytes(content)
    with pytest.raises(DataError, match=f's.json.*{message}') as caught:
        read_sentences(file)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_sentences_are_read_plain_and_zipped(tmp_path, encoding):
    content = json.dumps({'a': ['x', 'é']}, ensure_ascii=False).encode(encoding)
    (tmp_path / 's.json').write_bytes(content)
    with zipfile.ZipFile(tmp_path / 's.zip', 'w') as archive:
        archive.writestr('folder/s.json', content)
    for name in ('s.json', 's.zip'):
        assert read_sentences(tmp_path / name) == {'a': ['x', 'é']}


@pytest.mark.parametrize('names', [[], ['a.json', 'b.json']])
def test_an_archive_of_none_or_several_files_is_refused(tmp_path, names):
    with zipfile.ZipFile(tmp_path / 's.zip', 'w') as archive:
        archive.writestr('readme.txt', 'x')
        for name in names:
            archive.writestr(name, '{"a": ["x"]}')
    with pytest.raises(DataError, match='s.zip: needs one .json'):
        read_sentences(tmp_path / 's.zip')


@settings(max_examples=30)
@given(st.dictionaries(TEXT, st.lists(TEXT, min_size=1), min_size=1))
def test_what_is_written_is_read(tmp_path_factory, sentences):
    file = tmp_path_factory.mktemp('s') / 'new' / 's.json'
    write_sentences(file, sentences)
    assert read_sentences(file) == sentences
    assert [path.name for path in file.parent.iterdir()] == ['s.json']


def test_clips_without_a_sentence_are_reported_and_not_invented():
    matched = match_clips({'b': ['x'], 'other': ['z']}, ['a', 'b', 'b'])
    assert matched.sentences == {'b': ['x']}
    assert (matched.missing, matched.unused) == (['a'], ['other'])
    with pytest.raises(DataError, match="none of the 2 clips .'a', .* is a key.*'z'"):
        match_clips({'z': ['x']}, ['a', 'b'])


@pytest.mark.parametrize('end', ['', '.skeleton', '_rgb', '_rgb.avi'])
def test_names_of_ntu_are_matched_whatever_file_they_name(end):
    clips = ['S001C002P003R002A050', 'S018C001P008R001A061', 'S018C001P008R001A062']
    released = {name + end: [name] for name in clips[:2]}
    matched = match_clips(released, clips)
    assert matched.sentences == {name: [name] for name in clips[:2]}
    assert (matched.missing, matched.unused) == (clips[2:], [])


def test_the_released_names_of_pkummd_are_matched_without_their_label():
    released = {
        'A001N002V001C004L003': ['left'],
        'A001N002V003C004L003': ['right'],
        'A026N013V002C049L011': ['middle'],
    }
    matched = match_clips(released, ['A01N02-L_3', 'A01N02-R_3', 'A26N13-M_11', 'A01N02-L_4'])
    assert matched.sentences == {
        'A01N02-L_3': ['left'],
        'A01N02-R_3': ['right'],
        'A26N13-M_11': ['middle'],
    }
    assert (matched.missing, matched.unused) == (['A01N02-L_4'], [])
    relabeled = {key.replace('C004', 'C017'): value for key, value in released.items()}
    assert match_clips(relabeled, ['A01N02-L_3']).sentences == {'A01N02-L_3': ['left']}


def test_the_released_sentences_are_all_read_and_each_finds_its_clip():
    file = data_root() / 'prompts' / 'pkuv2_language.zip'
    if not file.is_file():
        pytest.skip(f'no {file}: set MMACT_SSL_DATA')
    released = read_sentences(file)  # refuses a key that comes twice
    assert len(released) == 6952
    assert {len(lines) for lines in released.values()} == {16}
    clips = {}
    for key in released:
        found = re.fullmatch(r'A0(\d\d)N0(\d\d)V00(\d)C\d{3}L0*(\d+)', key)
        actor, video, camera, line = found.groups()
        clips[f'A{actor}N{video}-{" LMR"[int(camera)]}_{line}'] = key
    assert len(clips) == 6952
    matched = match_clips(released, clips)
    assert not matched.missing and not matched.unused
    assert matched.sentences == {clip: released[key] for clip, key in clips.items()}
