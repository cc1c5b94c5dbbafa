"""Files of sentences: JSON ``{clip, video or class: [sentence, ...]}``, plain or in a zip."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import open_archive, read_text, reading, sha256_of, write_atomically

# Ten times the input length of a text encoder; a longer sentence means a broken file.
MAX_WORDS = 2000
FIX = 'correct --sentences, see docs/extend/targets.md'

_PKU_RELEASED = re.compile(r'A(\d+)N(\d+)V(\d+)C\d+L(\d+)')
# Names of NTU RGB+D clips, also with the suffixes of their files.
_NTU = re.compile(r'S(\d+)C(\d+)P(\d+)R(\d+)A(\d+)(?:\.skeleton|_rgb)?(?:\.avi)?', re.IGNORECASE)
_PKU_PREPARED = re.compile(r'A(\d+)N(\d+)-([LMR])_(\d+)')


class MatchedSentences(NamedTuple):
    """Sentences for the clips of a data set."""

    sentences: dict[str, list[str]]  # by clip, in the order of the data set
    missing: list[str]  # clips without a sentence
    unused: list[str]  # keys of the file that are not clips of the data set


def read_sentences(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Read {clip, video or class: sentences}.

    Args:
        path: JSON ``{key: [sentence, ...]}`` in UTF-8, or a zip archive with one such file.
    """
    with reading(path, FIX):
        sentences = json.loads(read_sentence_text(path), object_pairs_hook=_without_repeats)
        if not isinstance(sentences, dict) or not sentences:
            raise DataError(
                f'{path} must contain {{key: [sentence, ...]}}, see docs/extend/targets.md'
            )
        _check(path, sentences)
        return sentences


def write_sentences(path: str | os.PathLike[str], sentences: Mapping[str, list[str]]) -> None:
    """Write a file for :func:`read_sentences`, completely or not at all."""
    if not sentences:
        raise DataError(f'{path}: no clip has a sentence, nothing is written')
    _check(path, sentences)
    write_atomically(path, json.dumps(sentences, indent=1, ensure_ascii=False) + '\n')


def match_clips(sentences: Mapping[str, list[str]], clips: Iterable[str]) -> MatchedSentences:
    """Find the sentences of a data set's clips by their annotated names.

    Two other forms of names match too. The sentences that C2VL's authors released for PKU-MMD II
    (arXiv 2405.20606) call this package's clip ``A01N02-L_3`` (line 3 of the left camera's video)
    ``A001N002V001C004L003``; cameras L, M, R are V001, V002, V003. The action's number, ``C004``,
    is ignored, because it is a label. A name of an NTU RGB+D clip, ``S001C002P003R002A050``, may
    end with ``.skeleton`` or ``_rgb.avi``.
    """
    by_name = {_canonical(key): key for key in sentences}
    clips = list(dict.fromkeys(clips))
    keys = {clip: clip if clip in sentences else by_name.get(_canonical(clip)) for clip in clips}
    matched = {clip: list(sentences[key]) for clip, key in keys.items() if key is not None}
    if not matched:
        key, clip = next(iter(sentences), ''), clips[0] if clips else ''
        raise DataError(
            f'none of the {len(clips)} clips ({clip!r}, ...) is a key of the file ({key!r}, ...)'
        )
    used = set(keys.values())
    return MatchedSentences(
        matched,
        missing=[clip for clip in clips if clip not in matched],
        unused=[key for key in sentences if key not in used],
    )


def _canonical(name: str) -> Any:
    """Return the numbers in a PKU-MMD or NTU name, equal in its forms; else the name itself."""
    if of_ntu := _NTU.fullmatch(name):
        return ('NTU', *map(int, of_ntu.groups()))
    if released := _PKU_RELEASED.fullmatch(name):
        return tuple(map(int, released.groups()))
    if prepared := _PKU_PREPARED.fullmatch(name):
        actor, video, camera, line = prepared.groups()
        return int(actor), int(video), 'LMR'.index(camera) + 1, int(line)
    return name


def read_sentence_text(path: str | os.PathLike[str]) -> str:
    """Read a text file in UTF-8, or the one .json file in a zip archive."""
    if not zipfile.is_zipfile(path):
        return read_text(path, FIX)
    with reading(path, FIX), open_archive(path, FIX) as archive:
        files = [name for name in archive.namelist() if name.endswith('.json')]
        if len(files) != 1:
            names = ', '.join(files[:3]) or 'none'
            raise DataError(f'{path}: needs one .json file of sentences, found {names}: unpack it')
        return archive.read(files[0]).decode('utf-8-sig')


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict; ValueError for a repeated key, which json would silently overwrite."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f'the key {key!r} comes twice')
        content[key] = value
    return content


def _check(path: str | os.PathLike[str], sentences: Mapping[str, Any]) -> None:
    """Raise DataError unless each key has sentences of at most MAX_WORDS words."""
    for key, lines in sentences.items():
        is_list = isinstance(lines, list) and lines
        if not is_list or not all(isinstance(line, str) and line.strip() for line in lines):
            raise DataError(f'{path}: {key!r} must have a list of one or more sentences')
        ''.join([key, *lines]).encode()  # raises for half a character, which JSON allows
        words = max(len(line.split()) for line in lines)
        if words > MAX_WORDS:
            raise DataError(f'{path}: {key!r} has a sentence of {words} words; split it')


def hash_sentences(sentences: Sequence[str]) -> str:
    """Hash sentences in their order; it is the source hash of their embeddings."""
    return sha256_of(json.dumps(list(sentences)))
