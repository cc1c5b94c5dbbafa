"""Inputs of the inferencers: videos, folders, frames and skeletons, each clip under a name."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.logging import print_log

from mmact_ssl.datasets.layouts import LAYOUTS, layout_of
from mmact_ssl.datasets.skeleton_clips import read_coordinates, usable_clip
from mmact_ssl.datasets.skeleton_folder import META, SkeletonFolder, open_skeleton_folder
from mmact_ssl.datasets.transforms.skeleton.joints import root_at_zero
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import expand, file_version, open_archive, read_arrays, reading
from mmact_ssl.preparation.custom import read_clips
from mmact_ssl.preparation.files import VIDEO_SUFFIXES, choose_files

ARRAY_SUFFIXES = ('.npz', '.npy')
JOINED = {'keypoints', 'lengths'}  # arrays of a file of many clips
FIX = 'docs/start/search.md shows what is read'
NOTHING = 'there is no such file or folder'


@dataclass(frozen=True)
class Clip:
    """A video or a skeleton clip that is not read yet.

    Attributes:
        name: Name of the clip; inside a folder the path from there, with ``/``.
        read: Reads the input of a pipeline; a damaged file may raise any error.
        path: Absolute path of its file, followed by the clip's name if the file holds several; ''
            for arrays in memory.
        version: Of its file, see :func:`.file_version`; zeros if it cannot be read.
        source: Absolute path of the folder or file of clips that are all listed; '' for a video
            that is named alone, and for arrays.
    """

    name: str
    read: Callable[[], dict[str, Any]]
    path: str = ''
    version: tuple[int, int] = (0, 0)
    source: str = ''


Told = tuple[str, str, str]  # kind, layout, coordinates, see find_clips
Input = str | os.PathLike | np.ndarray | Clip


def list_inputs(inputs: Input | Sequence[Input]) -> list[Input]:
    """List one input or several, with a leading ``~`` of paths expanded."""
    is_one = isinstance(inputs, (str, os.PathLike, np.ndarray, Clip))
    return [
        expand(item) if isinstance(item, (str, os.PathLike)) else item
        for item in cast(Sequence[Input], [inputs] if is_one else inputs)
    ]


def require_paths(inputs: Input | Sequence[Input]) -> None:
    """Raise DataError for a path that leads nowhere."""
    for item in list_inputs(inputs):
        if isinstance(item, Path) and not os.path.exists(item):
            raise DataError(f'{item}: {NOTHING}')


def find_clips(
    inputs: Input | Sequence[Input], kind: str, layout: str = '', coordinates: str = ''
) -> list[Clip]:
    """List the clips of an input in order, those of a folder by name.

    Args:
        inputs: Path of a video, of an ``.npz`` or ``.npy`` with skeletons, of a folder of these, or
            of a prepared skeleton folder; frames, uint8 ``(T, H, W, 3)`` RGB; a skeleton, float
            ``(M, T, V, C)``; a clip; or a list of any of these.
        kind: Kind of the model's input, ``'video'`` or ``'skeleton'``.
        layout: Layout of the skeletons, a key of LAYOUTS; '': that of a prepared folder, and of
            arrays the one layout of so many joints.
        coordinates: Values of a joint in arrays, see :func:`read_coordinates`.

    Raises:
        DataError: An input cannot be a clip, or a folder holds none.
    """
    alone = isinstance(inputs, (str, os.PathLike))
    if alone:
        require_paths(inputs)
    told = kind, layout, coordinates
    clips: list[Clip] = []
    for number, item in enumerate(list_inputs(inputs)):
        if isinstance(item, Clip):
            clips.append(item)
        elif isinstance(item, np.ndarray):
            read = partial(_from_array, item, f'array {number}', told)
            clips.append(Clip(f'array {number}', read))
        else:
            clips += _from_path(cast(Path, item), told, alone)
    return clips


def _from_path(path: Path, told: Told, alone: bool) -> list[Clip]:
    if not os.path.exists(path):
        return [Clip(path.as_posix(), partial(_fail, NOTHING), _absolute(path))]
    if not path.is_dir():
        return _from_file(path, path.as_posix(), told)
    source = _absolute(path)
    before = '' if alone else f'{path.as_posix()}/'  # folders may share names
    if (path / META).is_file() and told[0] == 'skeleton':
        folder = open_skeleton_folder(path, FIX)
        if told[1] not in ('', folder.layout):
            raise DataError(f'{path}: its layout is {folder.layout}, the model reads {told[1]}')
        version = folder.shape[0], int(folder.content_hash[:15], 16)
        reads = (partial(_from_folder, folder, place) for place in range(len(folder.names)))
        return [
            Clip(before + name, read, f'{source}/{name}', version, source)
            for name, read in zip(folder.names.tolist(), reads)
        ]
    suffixes = VIDEO_SUFFIXES if told[0] == 'video' else ARRAY_SUFFIXES
    files, unread, others = choose_files(path, suffixes)
    if others:
        print_log(others, 'current', logging.WARNING)
    if not files and not unread:
        raise DataError(f'{path}: no {told[0]} clips in it ({others or "it is empty"}): {FIX}')
    clips = []
    for file in sorted([*files, *unread]):
        name = before + file.relative_to(path).as_posix()
        if file in unread:
            place = _absolute(file)
            clips.append(Clip(name, partial(_fail, f'{place}: {unread[file]}'), place))
        else:
            clips += _from_file(file, name, told)
    return [replace(clip, source=source) for clip in clips]


def _fail(message: str) -> dict[str, Any]:
    raise DataError(message)


def _from_file(path: Path, name: str, told: Told) -> list[Clip]:
    place, version = _absolute(path), file_version(path)
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        if told[0] == 'skeleton':
            raise ConfigError(f'{path}: the model reads skeletons, .npz or .npy, not videos')
        return [Clip(name, partial(_results, place, 'RGB'), place, version)]
    if path.suffix.lower() == '.npz':
        try:
            clips = _many_clips(place, version, told[2])
        except DataError as error:
            return [Clip(name, partial(_fail, str(error)), place, version, place)]
        if clips is not None:
            read_clip = partial(_from_many, place, version, told)
            return [
                Clip(f'{name}/{clip}', partial(read_clip, clip), f'{place}/{clip}', version, place)
                for clip in clips
            ]
    read = partial(_from_array_file, path, told)
    return [Clip(name, read, place, version, place)]  # it may have held several clips before


def _absolute(path: Path) -> str:
    return Path(os.path.abspath(path)).as_posix()


def _from_folder(folder: SkeletonFolder, place: int) -> dict[str, Any]:
    return skeleton_sample(folder.read(place), str(folder.names[place]), folder.layout)


def _from_many(path: str, version: tuple[int, ...], told: Told, name: str) -> dict[str, Any]:
    clips = cast(dict[str, np.ndarray], _many_clips(path, version, told[2]))
    return _usable_sample(clips[name], path, told[1])


@lru_cache(maxsize=1)
def _many_clips(
    path: str, version: tuple[int, ...], coordinates: str
) -> dict[str, np.ndarray] | None:
    """Clips of the last file by name; None for a file of one clip.

    ``version`` changes when the file is replaced.
    """
    with open_archive(path, FIX) as archive:
        is_one = not {name.removesuffix('.npy') for name in archive.namelist()} >= JOINED
    return None if is_one else read_clips(path, coordinates=coordinates)[1]


def _from_array_file(path: Path, told: Told) -> dict[str, Any]:
    with reading(path, FIX):
        if path.suffix.lower() == '.npz':
            arrays = read_arrays(path, FIX)
            clips = [array for array in arrays.values() if array.ndim == 4]
            if len(clips) != 1:
                raise ValueError(f'{len(clips)} arrays of four axes, wanted one')
            return _from_array(clips[0], str(path), told)
        return _from_array(np.load(path, allow_pickle=False), str(path), told)


def _from_array(array: np.ndarray, name: str, told: Told) -> dict[str, Any]:
    """Make a sample of frames or of a skeleton; DataError if the array is something else."""
    shape = list(array.shape)
    if told[0] == 'video':
        if array.dtype != np.uint8 or array.ndim != 4 or shape[-1] != 3:
            raise DataError(f'{name}: {array.dtype} {shape} are not frames, uint8 [T, H, W, 3] RGB')
        return {**_results(name, 'RGB'), 'array': array, 'total_frames': len(array)}
    (clip,) = read_coordinates([array], told[2], name)
    return _usable_sample(clip, name, told[1])


def _usable_sample(clip: np.ndarray, name: str, layout: str) -> dict[str, Any]:
    try:
        layout = layout or layout_of(clip.shape)
        clip, dropped = usable_clip(clip, layout)
    except ValueError as error:
        raise DataError(f'{name}: {error}') from None
    if any(dropped.values()):
        counts = ', '.join(f'{count} {reason}' for reason, count in dropped.items() if count)
        print_log(f'{name}: frames are dropped ({counts})', 'current', logging.WARNING)
    return skeleton_sample(clip, name, layout)


def skeleton_sample(keypoint: np.ndarray, name: str, layout: str) -> dict[str, Any]:
    """Sample of a clip ``(M, T, V, C)``, as in SkeletonDataset."""
    # A copy, because transforms change it.
    keypoint = np.array(keypoint, np.float32, order='C')
    return {
        **_results(name, 'Pose'),
        'frame_dir': name,
        'keypoint': keypoint,
        'layout': layout,
        'total_frames': keypoint.shape[1],
        **root_at_zero(keypoint, LAYOUTS[layout]),
    }


def _results(name: str, modality: str) -> dict[str, Any]:
    """Sample without a label, as in mmaction2's data sets."""
    return {'filename': name, 'label': -1, 'start_index': 0, 'modality': modality}
