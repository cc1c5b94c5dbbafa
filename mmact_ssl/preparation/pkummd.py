"""PKU-MMD (Liu et al. 2017), phases I and II: long videos cut into their labeled actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.errors import DataError, reason_of
from mmact_ssl.io.files import read_text
from mmact_ssl.preparation.files import files_below, require
from mmact_ssl.preparation.skeletons import SkeletonWriter

SETS = {
    'pkummd1': 'PKU-MMD phase I: skeletons of long videos, cut into 51 actions',
    'pkummd2': 'PKU-MMD phase II: the same, harder',
}
NUM_PERSONS, NUM_JOINTS = 2, 25
NUM_ACTIONS = 51
FIX = 'point --source at one phase: skeleton and label folders, and the lists of the splits'


def prepare(source: Path, out: Path, name: str = 'pkummd1') -> dict[str, int]:
    """Cut the videos into clips ``VIDEO_k``, one for line k of the label file, counted from 1.

    As in the public loaders, a clip is frames ``start`` to ``end - 1`` of the video, counted from
    0; an end after the last frame means the end of the video. A label is the index of the action's
    number among the sorted numbers in the label files: all 51 in phase I, fewer in phase II.

    Args:
        source: Folder of one phase, unpacked, with

            - skeletons: a file ``VIDEO.txt`` (or ``.skeleton``) in a folder whose name contains
              ``skeleton``: a line of 150 numbers per frame = 2 persons x 25 joints x (x, y, z),
              meters, zero for an absent person;
            - labels: ``VIDEO.txt`` (or ``.label``) in a folder whose name contains ``label``: lines
              ``action,start,end,confidence``;
            - the splits: ``cross-subject*.txt`` and ``cross-view*.txt`` (or with ``_``).
        out: Prepared folder to write, with ``xsub_train.txt``, ``xsub_test.txt`` and ``xview_…``.
        name: ``pkummd1`` or ``pkummd2``.
    """
    require(source, FIX)
    skeletons = video_files(source, 'skeleton', ('.txt', '.skeleton'))
    labels = {
        video: read_labels(path)
        for video, path in video_files(source, 'label', ('.txt', '.label')).items()
    }
    splits = {
        f'{split}_{part}': [clip for video in videos for clip in labels.get(video, {})]
        for split, kind in (('xsub', 'subject'), ('xview', 'view'))
        for part, videos in zip(('train', 'test'), read_split(source, kind))
    }
    segments = [segment for clips in labels.values() for segment in clips.values()]
    actions = sorted({segment[0] for segment in segments if not isinstance(segment, str)})
    classes = [f'action {action}' for action in actions]
    dataset = {'pkummd1': 'PKU-MMD I', 'pkummd2': 'PKU-MMD II'}[name]
    with SkeletonWriter(out, dataset, 'ntu25', classes, NUM_PERSONS) as writer:
        for video, clips in track(labels.items(), 'cutting videos'):
            frames = read_video(skeletons.get(video))
            for clip, segment in clips.items():
                if isinstance(segment, str):
                    writer.left_out[clip] = segment
                elif isinstance(frames, str):
                    writer.left_out[clip] = frames
                else:
                    action, start, end = segment
                    keypoint = frames[start:end].transpose(1, 0, 2, 3)
                    writer.add(clip, actions.index(action), keypoint)
        return writer.finish(splits)


def video_files(source: Path, kind: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return {video: file} of the files below a folder whose name contains ``kind``."""
    files: dict[str, Path] = {}
    for path in files_below(source):
        folders = path.relative_to(source).parts[:-1]
        if path.suffix in suffixes and any(kind in folder.lower() for folder in folders):
            if path.stem in files:
                raise DataError(f'{path} and {files[path.stem]} belong to the same video; {FIX}')
            files[path.stem] = path
    if not files:
        raise DataError(f'{source}: no folder whose name contains {kind!r} has files; {FIX}')
    return files


def read_video(path: Path | None) -> np.ndarray | str:
    """Read a skeleton file: float32 (T, M=2, V=25, 3), or the reason why it is unusable."""
    if path is None:
        return 'the video has no skeleton file'
    try:
        numbers = np.array(read_text(path, FIX).split(), dtype=np.float32)
    except (DataError, ValueError) as error:
        return f'{path.name}: {reason_of(error)}'
    frames, rest = divmod(len(numbers), NUM_PERSONS * NUM_JOINTS * 3)
    if rest:
        return f'{path.name}: cut short: {frames} frames of 150 numbers, and {rest} more numbers'
    return numbers.reshape(frames, NUM_PERSONS, NUM_JOINTS, 3)


def read_labels(path: Path) -> dict[str, tuple[int, int, int] | str]:
    """Read a label file: {clip: (action, start, end), or the reason why the line is unusable}.

    Blank lines are skipped and not counted.
    """
    lines = filter(str.strip, read_text(path, FIX).splitlines())
    clips: dict[str, tuple[int, int, int] | str] = {}
    for k, line in enumerate(lines, start=1):
        name = f'{path.stem}_{k}'
        try:
            action, start, end = (int(field) for field in line.split(',')[:3])
            is_valid = 1 <= action <= NUM_ACTIONS and 0 <= start < end
        except ValueError:
            is_valid = False
        if is_valid:
            clips[name] = action, start, end
        else:
            clips[name] = f'{path.name}: {line.strip()!r} is not action 1..51, start, end'
    return clips


def read_split(source: Path, kind: str) -> list[list[str]]:
    """Read the training and the test videos from the list ``cross-KIND*.txt``.

    It has sections ``Training videos:`` and ``Validataion videos:`` (sic) with names between
    commas.
    """
    lists = [path for path in files_below(source) if path.match(f'cross[-_]{kind}*.txt')]
    if len(lists) != 1:
        names = ', '.join(path.name for path in lists) or 'none'
        raise DataError(f'{source}: one cross-{kind}*.txt is needed, found {names}; {FIX}')
    sections: list[list[str]] = []
    for line in read_text(lists[0], FIX).splitlines():
        if line.strip().endswith(':'):
            sections.append([])
        elif sections:
            sections[-1] += [name.strip() for name in line.split(',') if name.strip()]
    if len(sections) != 2 or not all(sections):
        raise DataError(f'{lists[0]}: needs one section of training and one of validation videos')
    return sections
