"""Skeletons of a user, from one npz file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.prepared_folder import write_groups
from mmact_ssl.errors import DataError
from mmact_ssl.files import read_arrays, reading
from mmact_ssl.preparation.files import require
from mmact_ssl.preparation.skeletons import SkeletonWriter, numbered_classes

SETS = {'custom': 'your own skeletons: one npz file'}
OPTIONS = {
    'unit': dict(help='of the coordinates'),
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
    layout: str,
    unit: str = 'metres',
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
        layout: A key of LAYOUTS with V joints.
        unit: Unit of the coordinates.
        train_subjects: Subjects to train on; the others are for testing.
        left_handed: The coordinates are left-handed (x right, y up, z depth; Unity's). Their z is
            negated, since prepared folders are right-handed.
    """
    with reading(source, FIX):
        require(source, f'point --source at an npz file; {FIX}')
        table, clips = read_clips(source, ('names', 'labels', 'lengths', 'keypoints'))
        sizes = table['keypoints'].shape[1], table['keypoints'].shape[3]
        if left_handed:
            if sizes[1] == 2:
                raise DataError(f'{source}: --left-handed needs key points in 3D; leave it out')
            clips = {n: clip * np.array([1, 1, -1], np.float32) for n, clip in clips.items()}
        names, labels = [*clips], table['labels'].tolist()
        classes = (
            table['classes'].astype(str).tolist()
            if 'classes' in table
            else numbered_classes(labels, source)
        )
        splits = split_names(source, table, names, train_subjects)
        used = table.get('used', np.ones(len(names), dtype=bool))
        with SkeletonWriter(out, out.name, layout, classes, *sizes, unit, True) as writer:
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
    source: str | Path, required: Sequence[str] = REQUIRED
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read a file of many clips, see :func:`prepare`, and check that its arrays fit each other.

    Args:
        required: Arrays that the file must have.

    Returns:
        All arrays, ``keypoints`` with the axis M; and the clips ``(M, T, V, C)`` by name.
    """
    table = read_arrays(source, 'give an npz file without pickles')
    missing = [key for key in required if key not in table]
    if missing:
        raise DataError(f'{source}: no array {missing[0]}; {FIX}')
    count = table['names'].size
    for key in ('names', 'labels', 'lengths', 'subjects', 'used'):
        if key in table and table[key].shape != (count,):
            shape = list(table[key].shape)
            raise DataError(f'{source}: {key} has shape {shape}; give one for each of {count}')
    whole = [table[key].dtype for key in ('labels', 'lengths') if key in table]
    if not all(np.issubdtype(dtype, np.integer) for dtype in whole):
        raise DataError(f'{source}: labels and lengths must be whole numbers; convert them')
    keypoints, lengths = table['keypoints'], table['lengths']
    is_joined = lengths.min(initial=0) >= 0 and [lengths.sum()] == list(keypoints.shape[:1])
    if keypoints.ndim not in (3, 4) or keypoints.dtype.kind not in 'fiu' or not is_joined:
        raise DataError(
            f'{source}: lengths add up to {lengths.sum()}, keypoints have shape '
            f'{list(keypoints.shape)}; they must be numbers [sum(lengths), V, C] or '
            '[sum(lengths), M, V, C]'
        )
    if keypoints.ndim == 3:
        keypoints = table['keypoints'] = keypoints[:, None]
    names = table['names'].astype(str).tolist()
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise DataError(f'{source}: two clips are named {twice[0]!r}: rename one')
    parts = np.split(keypoints, np.cumsum(lengths)[:-1]) if count else []
    return table, {name: part.transpose(1, 0, 2, 3) for name, part in zip(names, parts)}


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
