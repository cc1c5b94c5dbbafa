"""Skeletons of a user, from one npz file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.layouts import layout_of
from mmact_ssl.datasets.prepared_folder import write_groups
from mmact_ssl.datasets.skeleton_clips import read_coordinates
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import read_arrays, reading
from mmact_ssl.preparation.files import require
from mmact_ssl.preparation.skeletons import SkeletonWriter, numbered_classes

SETS = {'custom': 'your own skeletons: one npz file'}
OPTIONS = {
    'train_subjects': dict(type=int, nargs='+', help='split by the array subjects of the file'),
    'left_handed': dict(
        action='store_true',
        help='the coordinates are, as x right, y up, z depth or those of Unity: negate z',
    ),
}
FIX = 'docs/start/own_skeletons.md shows how to write it'
REQUIRED = ('names', 'lengths', 'keypoints')  # an inferencer reads no labels


def prepare(
    source: Path,
    out: Path,
    layout: str = '',
    coordinates: str = '',
    train_subjects: Sequence[int] | None = None,
    left_handed: bool = False,
) -> dict[str, int]:
    """Convert an npz file without unpickling it.

    Args:
        source: Npz file of

            - ``names`` str (N,), ``labels`` int (N,) from 0 or -1 (no label), ``lengths`` int (N,)
              >= 0;
            - ``keypoints`` float (sum(lengths), V, C) or (sum(lengths), M, V, C): the clips joined
              along time, zero where a joint or person is not seen;
            - optional ``classes`` str (K,): names of the classes, by label;
            - optional ``train_names`` and ``test_names`` (or ``val_names``) str: the split;
            - optional ``subjects`` int (N,): the person in each clip, for ``train_subjects``, and
              for an evaluation whose splits and folds keep a subject's clips together;
            - optional ``used`` bool (N,): False leaves the clip out.

        out: Prepared folder to write, with ``xsub_train.txt`` and ``xsub_test.txt`` if
            ``train_subjects`` are given; else with ``train.txt`` and ``test.txt`` if the file has a
            split; else with ``all.txt``.
        layout: A key of LAYOUTS with V joints; '': the only one.
        coordinates: Values of a joint, see :func:`read_coordinates`.
        train_subjects: Subjects to train on; the others are for testing.
        left_handed: The coordinates are left-handed (x right, y up, z depth; Unity's). Their z is
            negated, since prepared folders are right-handed.
    """
    with reading(source, FIX):
        require(source, f'point --source at an npz file; {FIX}')
        table, clips = read_clips(source, (*REQUIRED, 'labels'), coordinates)
        persons, size = (max((clip.shape[i] for clip in clips.values()), default=1) for i in (0, 3))
        layout = layout or layout_of(next(iter(clips.values()), table['keypoints']).shape)
        if left_handed:
            if size == 2:
                raise DataError(f'{source}: --left-handed needs key points in 3D; leave it out')
            clips = {n: clip * np.array([1, 1, -1], np.float32) for n, clip in clips.items()}
        names, labels = [*clips], table['labels'].tolist()
        classes = numbered_classes(labels, source)
        if 'classes' in table:
            classes = table['classes'].astype(str).tolist()
        splits = split_names(source, table, names, train_subjects)
        used = table.get('used', np.ones(len(names), dtype=bool))
        with SkeletonWriter(out, out.name, layout, classes, persons, size) as writer:
            for (name, clip), label, is_used in zip(clips.items(), labels, used):
                if is_used:
                    writer.add(name, label, clip)
                else:
                    writer.left_out[name] = 'not marked as used'
            counts = writer.finish(splits)
        subjects = table.get('subjects', np.arange(0)).tolist()
        write_groups(out, dict(zip(names, map(str, subjects))))
        return counts


def read_clips(
    source: str | Path, required: Sequence[str] = REQUIRED, coordinates: str = ''
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read a file of many clips, see :func:`prepare`, and check that its arrays fit each other.

    Args:
        required: Arrays that the file must have.
        coordinates: Values of a joint, see :func:`read_coordinates`.

    Returns:
        All arrays; and the clips ``(M, T, V, C)`` by name.
    """
    table = read_arrays(source, 'give an npz file without pickles')
    if missing := [key for key in required if key not in table]:
        raise DataError(f'{source}: no array {missing[0]}; {FIX}')
    count = table['names'].size
    for key in ('names', 'labels', 'lengths', 'subjects', 'used'):
        if key in table and table[key].shape != (count,):
            shape = list(table[key].shape)
            raise DataError(f'{source}: {key} has shape {shape}; give one for each of {count}')
    for key, lowest in ('labels', -1), ('lengths', 0):
        if key in table and not np.issubdtype(table[key].dtype, np.integer):
            raise DataError(f'{source}: {key} must be whole numbers; convert them')
        if key in table and (least := table[key].min(initial=lowest)) < lowest:
            raise DataError(f'{source}: {key} has {least}; give {lowest} or more')
    keypoints, lengths = table['keypoints'], table['lengths']
    is_joined = keypoints.ndim in (3, 4) and lengths.sum() == len(keypoints)
    if not is_joined or keypoints.dtype.kind not in 'fiu':
        raise DataError(
            f'{source}: lengths add up to {lengths.sum()}, keypoints have shape '
            f'{list(keypoints.shape)}; they must be numbers [sum(lengths), V, C] or '
            '[sum(lengths), M, V, C]'
        )
    names, ends = table['names'].astype(str).tolist(), np.cumsum(lengths)
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise DataError(f'{source}: two clips are named {twice[0]!r}: rename one')
    wrong = np.flatnonzero(~np.isfinite(keypoints).all(axis=tuple(range(1, keypoints.ndim))))
    if len(wrong):
        name = names[int(np.searchsorted(ends, wrong[0], 'right'))]
        raise DataError(
            f'{source}: keypoints are not finite in {len(wrong)} frames, first in clip {name!r}; '
            'write 0 for a joint that is not seen'
        )
    keypoints = keypoints if keypoints.ndim == 4 else keypoints[:, None]
    parts = np.split(keypoints.swapaxes(0, 1), ends[:-1], axis=1) if count else []
    return table, dict(zip(names, read_coordinates(parts, coordinates, f'{source}: keypoints')))


def split_names(
    source: Path,
    table: Mapping[str, np.ndarray],
    names: Sequence[str],
    train_subjects: Sequence[int] | None,
) -> dict[str, list[str]]:
    """Return {list: names of its clips}; see :func:`prepare`."""
    if train_subjects is not None:
        if 'subjects' not in table:
            raise DataError(f'{source}: --train-subjects needs an array subjects; add it')
        known = set(table['subjects'].tolist())
        if unknown := set(train_subjects) - known:
            there = ', '.join(map(str, sorted(known)))
            raise DataError(
                f'{source}: no clip of subject {min(unknown)}, there are {there}; correct '
                '--train-subjects'
            )
        subjects = list(zip(names, table['subjects'].tolist()))
        return {
            'xsub_train': [name for name, subject in subjects if subject in train_subjects],
            'xsub_test': [name for name, subject in subjects if subject not in train_subjects],
        }
    keys = [key for key in ('train_names', 'test_names', 'val_names') if key in table]
    if not keys:
        return {'all': list(names)}
    if len(keys) != 2 or keys[0] != 'train_names':
        raise DataError(
            f'{source}: the split has {", ".join(keys)}; give train_names, and test_names or '
            'val_names'
        )
    train, test = (table[key].astype(str).tolist() for key in keys)
    if twice := [name for name, count in Counter([*train, *test]).items() if count > 1]:
        raise DataError(f'{source}: {twice[0]} comes twice in {keys[0]} and {keys[1]}; keep one')
    if unlisted := {*train, *test} - set(names):
        raise DataError(f'{source}: {min(unlisted)} of a split is not among the names')
    return {'train': train, 'test': test}
