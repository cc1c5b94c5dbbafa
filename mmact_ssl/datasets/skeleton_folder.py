"""Prepared folder of a skeleton data set: its contents, and a function that opens it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import MAX_CLASSES, read_arrays, reading, sha256_of
from mmact_ssl.io.schema import read_json

FORMAT = 1
SKELETONS, CLIPS, META = 'skeletons.npy', 'clips.npz', 'meta.json'


class Meta(TypedDict):
    """Keys of ``meta.json``, see :class:`SkeletonFolder`."""

    format: Annotated[int, range(FORMAT, FORMAT + 1)]
    layout: Annotated[str, re.compile('|'.join(LAYOUTS))]
    classes: Annotated[int, range(MAX_CLASSES)]
    sha256: str


@dataclass(frozen=True)
class SkeletonFolder:
    """The N clips of a prepared folder, F frames in all. Reading them unpickles nothing.

    Attributes:
        layout: A key of LAYOUTS with V joints.
        num_classes: Number of classes of the whole set; every label is below it.
        names: str (N,), all different.
        labels: int64 (N,), from 0; -1 where a clip has none.
        lengths: int64 (N,), frames of each clip, at least 1.
        shape: (F, M, V, C) of the coordinates; present persons come before absent ones.
        sha256: Hash of the coordinates' file, recorded when the folder was prepared.
    """

    path: Path
    layout: str
    num_classes: int
    names: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    shape: tuple[int, int, int, int]
    sha256: str

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 (N,): clip i has the frames ``starts[i] : starts[i] + lengths[i]``."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def content_hash(self) -> str:
        """Hash of the coordinates and of the name and length of each clip."""
        names, lengths = self.names.tolist(), self.lengths.tolist()
        return sha256_of(f'{self.sha256} {self.layout} {names} {lengths}')

    @cached_property
    def _coordinates(self) -> np.ndarray:
        # Read-only and mapped into memory: only what is used is read.
        return np.load(self.path / SKELETONS, mmap_mode='r', allow_pickle=False)

    def __getstate__(self) -> dict[str, Any]:
        """State without the mapped coordinates, which pickling would load into memory."""
        return {key: value for key, value in self.__dict__.items() if key != '_coordinates'}

    def read(self, place: int, persons: int | None = None) -> np.ndarray:
        """Coordinates of one clip, float32 (M, T, V, C), a copy that may be changed.

        Args:
            persons: Read so many of the M persons, the first ones; None: all.
        """
        start = self.starts[place]
        frames = self._coordinates[start : start + self.lengths[place]]
        # Always a copy: with one person the transposed view is contiguous already.
        return np.array(frames[:, :persons].transpose(1, 0, 2, 3), order='C')


def open_skeleton_folder(path: str | os.PathLike[str], fix: str) -> SkeletonFolder:
    """Open a prepared folder and check that its parts fit together.

    Args:
        path: Folder with ``skeletons.npy`` (float32 (F, M, V, C), all clips joined along time),
            ``clips.npz`` (``names``, ``labels``, ``lengths``) and ``meta.json``
            (``format``, ``layout``, ``classes``, ``sha256``).
        fix: How to fix a fault, in a few words; every error message ends with it.

    Raises:
        DataError: A file is missing, has another format, or does not fit the other files.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f'skeleton folder {path} is missing: {fix}')
    for name in (META, SKELETONS, CLIPS):  # meta.json is written last
        if not (path / name).is_file():
            raise DataError(f'{path / name} is missing, the folder is incomplete: {fix}')
    with reading(path, fix):
        meta, table = read_json(path / META, fix, Meta), read_arrays(path / CLIPS, fix)
        clips = {key: table[key] for key in ('names', 'labels', 'lengths')}
        coordinates = np.load(path / SKELETONS, mmap_mode='r', allow_pickle=False)
        folder = SkeletonFolder(
            path=path,
            layout=meta['layout'],
            num_classes=meta['classes'],
            shape=coordinates.shape,  # type: ignore[arg-type]  # checked below
            sha256=meta['sha256'],
            **clips,
        )
        _check(folder)
        if coordinates.dtype != np.float32:
            raise ValueError(f'{SKELETONS} holds {coordinates.dtype}, not float32')
        return folder


def _check(folder: SkeletonFolder) -> None:
    """Raise ValueError where sizes or labels do not fit together."""
    joints = LAYOUTS[folder.layout].num_joints
    shape, labels, classes = folder.shape, folder.labels, folder.num_classes
    if len(shape) != 4 or shape[2] != joints or shape[3] not in (2, 3):
        raise ValueError(
            f'shape {list(shape)}, layout {folder.layout} needs [F, M, {joints}, 2 or 3]'
        )
    columns = (folder.names, labels, folder.lengths)
    if any(column.dtype.kind not in 'iu' for column in columns[1:]):
        raise ValueError('labels and lengths must be integers')
    if (
        {column.shape for column in columns} != {(labels.size,)}
        or folder.lengths.sum() != shape[0]
        or folder.lengths.min(initial=1) < 1
    ):
        raise ValueError(f'names, labels, lengths do not add up to the {shape[0]} frames')
    if len(labels) and not -1 <= labels.min() <= labels.max() < classes:
        raise ValueError(f'labels {labels.min()} to {labels.max()}, {META} gives {classes} classes')
