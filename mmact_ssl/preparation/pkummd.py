"""PKU-MMD (Liu et al. 2017), phases I and II: long videos cut into their labeled actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import require
from mmact_ssl.preparation.skeletons import SkeletonWriter

NUM_PERSONS, NUM_JOINTS = 2, 25
NUM_ACTIONS = 51
MEND = 'point --source at one phase: skeleton and label folders, and the lists of the splits'


@dataclass(frozen=True)
class Instance:
    """One labeled action: frames ``start : end`` of its video, action 1..51."""

    name: str
    action: int
    start: int
    end: int


def prepare_pkummd1(source: Path, out: Path) -> dict[str, int]:
    """Convert phase I, 1076 videos of 51 actions; see :func:`prepare_pkummd`."""
    return prepare_pkummd(source, out, 'PKU-MMD I')


def prepare_pkummd2(source: Path, out: Path) -> dict[str, int]:
    """Convert phase II, 1009 videos; see :func:`prepare_pkummd`."""
    return prepare_pkummd(source, out, 'PKU-MMD II')


def prepare_pkummd(source: Path, out: Path, dataset: str) -> dict[str, int]:
    """Cut the videos into clips named ``VIDEO_k``, k being the line of the label file, from 1.

    A clip is frames ``start`` to ``end - 1`` of the video, counted from 0, as the public loaders
    cut it; an end behind the last frame is the end of the video. A label is the position of the
    action's number among the sorted numbers that occur in the label files: all 51 in phase I, fewer
    in phase II.

    Args:
        source: Folder of one phase, unpacked, with

            - skeletons: a file ``VIDEO.txt`` (or ``.skeleton``) in a folder whose name contains
              ``skeleton``: a line of 150 numbers a frame = 2 persons x 25 joints x (x, y, z),
              meters, zero for an absent person;
            - labels: ``VIDEO.txt`` (or ``.label``) in a folder whose name contains ``label``: lines
              ``action,start,end,confidence``;
            - the splits: ``cross-subject*.txt`` and ``cross-view*.txt`` (or with ``_``).
        out: Prepared folder to write, with ``xsub_train.txt``, ``xsub_test.txt`` and ``xview_…``.

    Returns:
        dict: number of clips, of clips per split, and of clips left out.

    Raises:
        DataError: a part of the source is missing, or there are two of it.
    """
    require(source, MEND)
    skeletons = video_files(source, 'skeleton', ('.txt', '.skeleton'))
    labels = video_files(source, 'label', ('.txt', '.label'))
    videos_of = {
        f'{split}_{part}': names
        for split, kind in (('xsub', 'subject'), ('xview', 'view'))
        for part, names in zip(('train', 'test'), read_split_list(find_split_list(source, kind)))
    }
    instances: dict[str, list[Instance]] = {}
    left_out: dict[str, str] = {}
    for video, path in labels.items():
        instances[video] = []
        for name, one in read_labels(path):
            if isinstance(one, Instance):
                instances[video].append(one)
            else:
                left_out[name] = one
    actions = sorted({each.action for found in instances.values() for each in found})
    classes = [f'action {action}' for action in actions]

    with SkeletonWriter(out, dataset, 'ntu25', classes, NUM_PERSONS) as writer:
        for name, reason in left_out.items():
            writer.leave_out(name, reason)
        for video, found in track(instances.items(), 'cutting videos'):
            try:
                frames = read_video(skeletons[video]) if video in skeletons else None
                reason = 'the video has no skeleton file'
            except ValueError as error:
                frames, reason = None, f'{skeletons[video].name}: {error}'
            for each in found:
                if frames is None:
                    writer.leave_out(each.name, reason)
                elif each.start >= len(frames):
                    writer.leave_out(each.name, 'begins behind the end of its video')
                else:
                    clip = frames[each.start : each.end].transpose(1, 0, 2, 3)
                    writer.add(each.name, actions.index(each.action), clip)
        return writer.finish(
            {
                split: [each.name for video in videos for each in instances.get(video, [])]
                for split, videos in videos_of.items()
            }
        )


def video_files(source: Path, kind: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files below a folder whose name contains ``kind``, by the video's name.

    Raises:
        DataError: there is none, or two of one video.
    """
    files: dict[str, Path] = {}
    for path in sorted(source.rglob('*')):
        folders = path.relative_to(source).parts[:-1]
        if path.suffix in suffixes and any(kind in folder.lower() for folder in folders):
            if path.stem in files:
                raise DataError(f'{path} and {files[path.stem]} are of one video; {MEND}')
            files[path.stem] = path
    if not files:
        raise DataError(f'{source}: no folder whose name contains {kind!r} has files; {MEND}')
    return files


def read_video(path: Path) -> np.ndarray:
    """Read a skeleton file: float32 [T, M=2, V=25, 3].

    Raises:
        ValueError: a number is broken, or the last frame is cut short.
    """
    numbers = np.array(path.read_text(encoding='utf-8').split(), dtype=np.float32)
    frames, rest = divmod(len(numbers), NUM_PERSONS * NUM_JOINTS * 3)
    if rest:
        raise ValueError(f'cut short: {frames} frames of 150 numbers, and {rest} numbers more')
    return numbers.reshape(frames, NUM_PERSONS, NUM_JOINTS, 3)


def read_labels(path: Path) -> Iterator[tuple[str, Instance | str]]:
    """Read a label file; blank lines are passed over and not counted.

    Yields:
        tuple: name of the clip, and the instance, or the reason why the line is of no use.
    """
    lines = path.read_text(encoding='utf-8').splitlines()
    for k, line in enumerate((line for line in lines if line.strip()), start=1):
        name = f'{path.stem}_{k}'
        fields = line.split(',')
        try:
            action, start, end = (int(field) for field in fields[:3])
        except ValueError:
            yield name, f'{path.name}: {line.strip()!r} is not "action,start,end,confidence"'
            continue
        if not 1 <= action <= NUM_ACTIONS:
            yield name, f'{path.name}: action {action} is not in 1..{NUM_ACTIONS}'
        elif not 0 <= start < end:
            yield name, f'{path.name}: frames {start} to {end} are no interval'
        else:
            yield name, Instance(name, action, start, end)


def find_split_list(source: Path, kind: str) -> Path:
    """The list ``cross-KIND*.txt`` or ``cross_KIND*.txt`` of a split, at any depth.

    Raises:
        DataError: there is none or more than one.
    """
    found = sorted(source.rglob(f'cross[-_]{kind}*.txt'))
    if len(found) != 1:
        listed = ', '.join(path.name for path in found) or 'none'
        raise DataError(f'{source}: one cross-{kind}*.txt is needed, found {listed}; {MEND}')
    return found[0]


def read_split_list(path: Path) -> tuple[list[str], list[str]]:
    """Read ``Training videos:`` and ``Validataion videos:`` (so written), names between commas.

    Returns:
        tuple: names of the videos to train on, and to test on.

    Raises:
        DataError: a section is missing or empty.
    """
    sections: list[list[str]] = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if line.strip().endswith(':'):
            sections.append([])
        elif sections:
            sections[-1] += [name.strip() for name in line.split(',') if name.strip()]
    if len(sections) != 2 or not all(sections):
        raise DataError(f'{path}: not a section of training and one of validation videos; {MEND}')
    return sections[0], sections[1]
