"""Files of sentences: JSON ``{clip, video or class: [sentence, ...]}``, plain or in a zip."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmact_ssl.errors import DataError
from mmact_ssl.files import write_atomically

# Ten times as long as the input of a text encoder: more is a broken file, not a description.
MAX_WORDS = 2000
# Of one zipped file of sentences; a whole data set has a few dozen megabytes.
MAX_BYTES = 1 << 30

_PKU_RELEASED = re.compile(r'A(\d+)N(\d+)V(\d+)C\d+L(\d+)')
_PKU_PREPARED = re.compile(r'A(\d+)N(\d+)-([LMR])_(\d+)')


@dataclass(frozen=True)
class MatchedSentences:
    """Sentences by the names of a data set's clips.

    Attributes:
        sentences: Clip -> its sentences, in the order of the data set.
        missing: Clips without a sentence.
        unused: Keys of the file that are not clips of the data set.
    """

    sentences: dict[str, list[str]]
    missing: list[str]
    unused: list[str]


def read_sentences(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Read sentences by clip, video or class.

    Args:
        path: JSON ``{key: [sentence, ...]}`` in UTF-8, or a zip archive that holds one such file.

    Raises:
        DataError: The file is missing, is not UTF-8 or JSON, has a key twice, a key without a
            sentence, or a sentence that is empty or longer than :data:`MAX_WORDS` words.
    """
    if not Path(path).is_file():
        raise DataError(f'no file {path} of sentences: correct --sentences')
    try:
        text = _read_bytes(Path(path)).decode('utf-8-sig')
        sentences = json.loads(text, object_pairs_hook=_without_repeats)
    except UnicodeDecodeError as error:
        raise DataError(
            f'{path} is not UTF-8 (byte {error.start}): save it again in that encoding'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path} is not JSON ({error}): correct --sentences') from error
    if not isinstance(sentences, dict) or not sentences:
        raise DataError(f'{path} must contain {{key: [sentence, ...]}}, see docs/targets.md')
    for key, lines in sentences.items():
        _check(path, key, lines)
    return sentences


def write_sentences(path: str | os.PathLike[str], sentences: Mapping[str, list[str]]) -> None:
    """Write a file that :func:`read_sentences` reads, whole or not at all.

    Raises:
        DataError: There is nothing to write, or a key has no sentence or a broken one.
    """
    if not sentences:
        raise DataError(f'{path}: no clip has a sentence, nothing is written')
    for key, lines in sentences.items():
        _check(path, key, lines)
    write_atomically(path, json.dumps(sentences, indent=1, ensure_ascii=False) + '\n')


def match_clips(sentences: Mapping[str, list[str]], clips: Iterable[str]) -> MatchedSentences:
    """Find the sentences of a data set's clips, by their names as annotated.

    The text that C2VL's authors released for PKU-MMD II (arXiv 2405.20606) names line 3 of the left
    camera's video ``A01N02-L`` as ``A001N002V001C004L003`` (cameras L, M, R are V001, V002, V003);
    it is matched to this package's ``A01N02-L_3``. The action's number, ``C004``, is ignored: it is
    a label.

    Raises:
        DataError: No key is the name of a clip.
    """
    by_name = {_canonical(key): key for key in sentences}
    clips = list(dict.fromkeys(clips))
    keys = {clip: clip if clip in sentences else by_name.get(_canonical(clip)) for clip in clips}
    matched = {clip: list(sentences[key]) for clip, key in keys.items() if key is not None}
    if not matched:
        theirs, ours = next(iter(sentences), ''), clips[0] if clips else ''
        raise DataError(
            f'none of the {len(clips)} clips ({ours!r}, ...) is a key of the sentences '
            f'({theirs!r}, ...): name them as the annotation file does'
        )
    used = set(keys.values())
    return MatchedSentences(
        matched,
        missing=[clip for clip in clips if clip not in matched],
        unused=[key for key in sentences if key not in used],
    )


def _canonical(name: str) -> Any:
    """Return numbers that both names of a PKU-MMD clip share; the name itself of other clips."""
    if released := _PKU_RELEASED.fullmatch(name):
        return tuple(map(int, released.groups()))
    if prepared := _PKU_PREPARED.fullmatch(name):
        actor, video, camera, line = prepared.groups()
        return int(actor), int(video), 'LMR'.index(camera) + 1, int(line)
    return name


def _read_bytes(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if info.filename.endswith('.json')]
        if len(files) != 1 or files[0].file_size > MAX_BYTES:
            names = ', '.join(info.filename for info in files[:3]) or 'none'
            raise DataError(f'{path}: needs one .json file of sentences, found {names}: unpack it')
        try:
            return archive.read(files[0])
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise DataError(f'{path}: not a whole archive ({error}): fetch it again') from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that comes twice; Python's reader would silently keep the last one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key {twice!r} comes twice')
    return found


def _check(path: str | os.PathLike[str], key: str, lines: Any) -> None:
    """Raise DataError unless a key has one or more sentences of a sane length."""
    if (
        not isinstance(lines, list)
        or not lines
        or not all(isinstance(line, str) and line.strip() for line in lines)
    ):
        raise DataError(f'{path}: {key!r} must have a list of one or more sentences')
    for number, line in enumerate(lines, start=1):
        words = len(line.split())
        if words > MAX_WORDS:
            raise DataError(
                f'{path}: sentence {number} of {key!r} has {words} words, at most {MAX_WORDS} are '
                'read: split it into several sentences'
            )
