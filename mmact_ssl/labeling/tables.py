"""Tables of labels: one label per clip, moments of recordings, and the exports of BORIS."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import CONTROL, read_table
from mmact_ssl.preparation.videos import class_order

FIX = 'see docs/start/label.md'
# Column names of BORIS, https://www.boris.unito.it/user_guide/export_events.
BORIS = {'Behavior', 'Behavior type'}
AGGREGATED = 'Start (s)', 'Stop (s)'
STATE = 'Observation id', 'Subject', 'Modifier'  # these and the behavior pair START and STOP
# Seconds that a label may end after the video: players round, and programs differ.
ROUNDING = 1.0


class Label(NamedTuple):
    """A moment of a video and its class.

    Attributes:
        video: Name of the video in the source.
        start, stop: Seconds; of a whole clip 0 and infinity, of an event in no time equal.
        group: Recordings, persons or files that belong together; '' for the video itself.
        where: File and line, for errors.
    """

    video: str
    start: float
    stop: float
    name: str
    group: str = ''
    where: str = ''


def read_label_table(path: Path, videos: Sequence[str]) -> list[Label]:
    """Read the labels of some videos from a table with commas, semicolons or tabs.

    Its first line names the columns: ``video,label[,group]``; ``video,start,stop,label[,group]``
    with times in seconds or as ``h:mm:ss``; or those of BORIS's tabular or aggregated events.

    Args:
        videos: Names in the source, see :func:`find_video`.

    Raises:
        DataError: A column, a video or a time is unknown or impossible.
    """
    columns, rows = read_table(path, FIX)
    moments: Iterable[Sequence[str]]
    if {*columns} - {'group'} in ({'video', 'label'}, {'video', 'start', 'stop', 'label'}):
        keys = 'video', 'start', 'stop', 'label', 'group'
        moments = ([where, *(row.get(key, '') for key in keys)] for where, row in rows)
    elif {*columns} >= {*BORIS, 'Time'}:
        moments = _tabular(rows)
    elif {*columns} >= {*BORIS, *AGGREGATED}:
        moments = (
            [where, *event_of(row, where, *AGGREGATED), row['Behavior'], ''] for where, row in rows
        )
    else:
        raise DataError(
            f'{path}:1: the columns are {columns}, not video,label[,group], '
            f'video,start,stop,label[,group] or those of BORIS: {FIX}'
        )
    labels = []
    for where, video, start, stop, name, group in moments:
        if not name:  # it is not labeled yet
            continue
        if CONTROL.search(name + group):
            raise DataError(f'{where}: {name!r} has control characters')
        span = (seconds(start, where), seconds(stop, where)) if start or stop else (0.0, math.inf)
        if span[1] < span[0]:
            raise DataError(f'{where}: stops at {span[1]} s, before its start')
        labels.append(Label(find_video(video, videos, where), *span, name, group, where))
    return labels


def _tabular(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[tuple[str, ...]]:
    """Pair each start of a state with its stop: one observation, subject, behavior, modifier."""
    begun: dict[tuple[str, ...], tuple[str, str]] = {}
    for where, row in rows:
        (video, time), name = event_of(row, where, 'Time'), row['Behavior']
        key = (*(cell for column, cell in row.items() if column.startswith(STATE)), video, name)
        kind = row['Behavior type'].upper()
        if kind == 'POINT':
            yield where, video, time, time, name, ''
        elif kind == 'START' and key not in begun:
            begun[key] = where, time
        elif kind == 'STOP' and key in begun:
            yield where, video, begun.pop(key)[1], time, name, ''
        else:
            raise DataError(f'{where}: {kind} of {name!r} is out of turn: START and STOP alternate')
    for (*_, name), (where, _) in begun.items():
        raise DataError(f'{where}: {name!r} starts and does not stop')


def find_video(name: str, videos: Sequence[str], where: str) -> str:
    """Find the video that a table names: by its name, or by a path that ends with it.

    A bare file name is enough if one video has it, and so is a whole path of another computer.

    Raises:
        DataError: No video, or more than one, has this name.
    """
    if name in videos:
        return name
    path = PureWindowsPath(name)  # reads both kinds of slashes
    same = [video for video in videos if video.rpartition('/')[2] == path.name]
    ends = [video for video in same if f'/{path.as_posix()}'.endswith(f'/{video}')]
    found = sorted(ends, key=len)[-1:]  # the longest end
    if not found and (path.anchor or len(path.parts) == 1):
        found = same
    if len(found) == 1:
        return found[0]
    near = same or get_close_matches(name, videos, n=1) or videos
    fix = f'{", ".join(found)} have this name: write the path'
    fix = fix if found else f'such as {near[0]}'
    raise DataError(f'{where}: {name!r} is not the name of a video of the source: {fix}')


def seconds(text: str, where: str) -> float:
    """Read a time: ``75.5``, ``75,5``, ``1:15.5`` or ``0:01:15.5``."""
    text = text.replace(',', '.')  # spreadsheets write the comma of their language
    if not re.fullmatch(r'(\d+:){0,2}\d+(\.\d*)?', text):
        raise DataError(f'{where}: {text!r} is not a time: write seconds, or h:mm:ss')
    return sum(60**n * float(part) for n, part in enumerate(text.split(':')[::-1]))


def event_of(row: Mapping[str, str], where: str, *columns: str) -> list[str]:
    """Path of the video of an event, and its times without the offset that BORIS adds to them."""
    media = row.get('Media file name') or row.get('Source', '')
    media = re.sub(r'^player #\d+:', '', media)
    if not media or re.search(r'[;|]', media):
        count = 'several videos' if media else 'no video'
        raise DataError(f'{where}: names {count}: export observations of one video each')
    offset = row.get('Time offset (s)') or '0'
    shift = seconds(offset.lstrip('-'), where) * (-1 if offset.startswith('-') else 1)
    return [media, *(f'{seconds(row[column], where) - shift:.3f}' for column in columns)]


def check_labels(labels: Sequence[Label], durations: Mapping[str, float]) -> None:
    """Raise DataError for a label behind the end of its video, two classes at one time, two groups.

    Args:
        durations: Seconds of the videos by name; 0 if it is not known.
    """
    last: dict[str, Label] = {}  # the one of each video that ends last
    groups: dict[str, str] = {}
    for label in sorted(labels, key=lambda label: label.start):
        where, video = label.where, label.video
        length, before = durations.get(video) or math.inf, last.setdefault(video, label)
        if label.group and groups.setdefault(video, label.group) != label.group:
            both = f'{groups[video]}, {label.group}'
            raise DataError(f'{where}: {video} has the groups {both}: give it one')
        if label.start >= length or length + ROUNDING < label.stop < math.inf:
            span = f'{label.start:g} to {label.stop:g} s'
            raise DataError(f'{where}: {span}, and {video} ends at {length:.2f} s')
        if label.start < before.stop and label.name != before.name:
            raise DataError(
                f'{where}: {label.name!r} overlaps with {before.name!r} of {before.where}: '
                'a moment, or a clip as a whole, has one class'
            )
        last[video] = max(before, label, key=lambda label: label.stop)


def classes_of(labels: Sequence[Label], table: object) -> tuple[str, ...]:
    """Names of the classes, in order; DataError for only one."""
    classes = class_order({label.name for label in labels})
    if len(classes) == 1:
        raise DataError(f'{table}: all labels are {classes[0]!r}: label another class too')
    return tuple(classes)


def label_table(labels: Iterable[Label]) -> str:
    """Format labels as :func:`read_label_table` reads them."""
    rows = [
        [video, *(['', ''] if stop == math.inf else [start, stop]), name, group]
        for video, start, stop, name, group, _ in sorted(labels)
    ]
    return format_table(['video', 'start', 'stop', 'label', 'group'], rows)


def format_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a CSV file."""
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(
        [round(cell, 3) if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    return text.getvalue()
