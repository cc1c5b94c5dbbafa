"""Outputs of ``label``: tables, subtitles, events of BORIS."""

from __future__ import annotations

import datetime
import html
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.schema import read_json
from mmact_ssl.labeling.tables import format_table
from mmact_ssl.labeling.windows import Windows

RECORD = 'written.json'  # names of the files that the last call wrote
# Files that a call writes. The next call removes those that it does not write again, no others.
KINDS = 'predictions.csv', 'segments.csv', 'subtitles/**/*.vtt', 'boris/**/*.csv'
# Columns of BORIS 8, in its order and in the groups of :func:`tabular_events`.
TABULAR_COLUMNS = [
    *('Observation id', 'Observation date', 'Description', 'Observation duration'),
    *('Observation type', 'Source', 'Time offset (s)', 'Media duration (s)', 'FPS', 'Subject'),
    *('Behavior', 'Behavioral category', 'Behavior type', 'Time', 'Media file name'),
    *('Image index', 'Image file path', 'Comment'),  # of pictures; our probability
]


class Segment(NamedTuple):
    """A run of windows with one label; times in seconds."""

    video: str
    start: float
    stop: float
    label: str
    probability: float


def find_segments(
    windows: Windows, classes: Sequence[str], probabilities: np.ndarray
) -> list[Segment]:
    """Runs of windows whose best class is the same; ``probabilities`` is ``(N, K)``.

    A moment belongs to the window whose middle is nearest.
    """
    best, moments = probabilities.argmax(axis=1), windows.moments().tolist()
    breaks = np.flatnonzero((np.diff(windows.video) != 0) | (np.diff(best) != 0)) + 1
    return [
        Segment(
            windows.videos[windows.video[first]],
            moments[first][0],
            moments[last - 1][1],
            classes[best[first]],
            float(probabilities[first:last, best[first]].mean()),
        )
        for first, last in itertools.pairwise([0, *breaks.tolist(), len(best)])
    ]


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by file name, and remove the last call's :data:`KINDS` that are not written."""
    record = folder / RECORD
    earlier = read_json(record, 'delete it', list[str]) if record.is_file() else []
    for path in [path for kind in KINDS for path in folder.glob(kind) if path.is_file()]:
        if (name := path.relative_to(folder).as_posix()) in earlier and name not in texts:
            path.unlink()
    for name, text in {RECORD: json.dumps([*texts]), **texts}.items():
        write_atomically(folder / name, text)


def segment_files(segments: Sequence[Segment]) -> dict[str, str]:
    """Text by file name: a table of all segments; subtitles and BORIS's events per recording."""
    texts = {'segments.csv': format_table(Segment._fields, segments)}
    by_video = {PurePosixPath(v): [*g] for v, g in itertools.groupby(segments, lambda s: s.video)}
    stems = Counter(path.with_suffix('') for path in by_video)
    for path, own in by_video.items():
        # A player looks for the name of the video with the suffix .vtt; two videos may share it.
        stem = path.with_suffix('')
        name = stem if stems[stem] == 1 and stem not in by_video else path
        texts[f'subtitles/{name}.vtt'] = web_vtt(own)
        texts[f'boris/{name}.csv'] = format_table(TABULAR_COLUMNS, tabular_events(own))
    return texts


def web_vtt(segments: Sequence[Segment]) -> str:
    """Subtitles of one recording, https://www.w3.org/TR/webvtt1."""
    cues = [
        f'{timestamp(segment.start)} --> {timestamp(segment.stop)}\n'
        f'{html.escape(segment.label, quote=False)} {segment.probability:.2f}\n'
        for segment in segments
        if round(segment.stop, 3) > round(segment.start, 3)
    ]
    return '\n'.join(['WEBVTT\n', *cues])


def timestamp(time: float) -> str:
    """Time in seconds as ``hh:mm:ss.mmm``."""
    minutes, rest = divmod(round(1000 * time), 60_000)
    return f'{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}'


def tabular_events(segments: Sequence[Segment]) -> list[list[object]]:
    """Rows of BORIS's tabular events of one recording: each segment is a state."""
    date = datetime.datetime.now().isoformat(' ', 'seconds')
    length = segments[-1].stop
    rows: list[list[object]] = []
    for segment in segments:
        observation = [segment.video, date, '', length]
        media = ['Media file(s)', f'player #1:{segment.video}', 0, length, '', 'No focal subject']
        for kind, time in ('START', segment.start), ('STOP', segment.stop):
            event = [segment.label, '', kind, time, segment.video]
            rows.append([*observation, *media, *event, '', '', f'{segment.probability:.2f}'])
    return rows
