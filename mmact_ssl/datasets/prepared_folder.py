"""Description of a prepared folder of one's own, for configs without a data set.

``--data DIR`` of the tools puts the folder's path into the environment variable
:data:`VARIABLE`, and ``configs/_base_/sets/folder.py`` calls :func:`describe_folder`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.datasets.shards import split_path
from mmact_ssl.datasets.skeleton_folder import META, open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError, KindError
from mmact_ssl.files import read_annotation, read_json, write_atomically
from mmact_ssl.shipped_configs import SET_VARIABLE, environment, find_set

VARIABLE = 'MMACT_SSL_FOLDER'
GROUPS = 'groups.json'
CLASS_NAMES = 'classes.txt'  # a line for each label
HELD_OUT = ('split_train.txt', 'split_test.txt')
BY_GROUPS = 'group by group'
LABELED = ('labeled_train.txt', 'labeled_test.txt')
# Lists for training and for testing, by their names in prepared folders; the first pair is taken.
LISTS = (
    ('train.txt', 'test.txt'),
    ('xsub_train.txt', 'xsub_test.txt'),
    ('xview_train.txt', 'xview_test.txt'),
    ('xset_train.txt', 'xset_test.txt'),
    ('train1.txt', 'test1.txt'),
    ('all.txt', 'all_test.txt'),
)
VIDEOS = 'python tools/prepare_data.py videos --source DIR'
SKELETONS = 'python tools/prepare_data.py custom --source FILE --layout kinect20'


@contextmanager
def telling_data(folder: str | None, dataset: str | None = None) -> Iterator[None]:
    """Name what configs without a data set read; None twice leaves the environment as it is.

    Args:
        folder: A prepared folder, which they read unless they are told a set.
        dataset: Name of a shipped set or path of a file like those of ``configs/_base_/sets/``.
    """
    path = find_set(dataset) if dataset else None if folder is None else ''
    with environment(VARIABLE, folder), environment(SET_VARIABLE, path):
        yield


def describe_folder(path: str | None = None) -> dict[str, Any]:
    """Describe a folder that tools/prepare_data.py has written.

    Args:
        path: The folder; by default what the environment variable says.

    Returns:
        dict: ``name`` and ``root``; ``train`` and ``test``, paths of the lists, of which the second
        may be missing; of the first ``num_train`` samples and ``train_hash`` of their names;
        ``num_classes``, 0 without labels; ``groups``, path of a file ``{sample: group}`` or None;
        ``prepare_command``, and ``test_command``, which makes a test list too. Of skeletons also
        ``layout``, ``num_persons``, ``num_coordinates`` (2 or 3) and ``num_frames`` of the longest
        clip.
    """
    root = os.environ.get(VARIABLE) if path is None else path
    if not root:
        raise ConfigError(
            'this config names no data set: give --data DIR, a prepared folder (those of '
            'configs/downstream/ take --set NAME too)'
        )
    folder = Path(root)
    is_skeleton = (folder / META).is_file()
    command = f'{SKELETONS if is_skeleton else VIDEOS} --out {root}'
    if not folder.is_dir():
        raise DataError(f'{root}: no such folder; run `{VIDEOS} --out {root}`, or see docs/data.md')
    train, test = next((pair for pair in LISTS if (folder / pair[0]).is_file()), LISTS[0])
    val = test.replace('test', 'val')  # as pyskl calls it
    if (folder / val).is_file() and not (folder / test).is_file():
        test = val
    names, labels = read_annotation(folder / train, f'run `{command}`')
    labeled = command if is_skeleton else f'{command} --labels TABLE'
    held_out = '--train-subjects NUMBER ...' if is_skeleton else '--test-fraction 0.25'
    found: dict[str, Any] = {
        'name': folder.resolve().name,
        'root': root,
        'train': str(folder / train),
        'test': str(folder / test),
        'num_train': len(names),
        'train_hash': hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:16],
        'num_classes': max(labels) + 1,
        'groups': str(folder / GROUPS) if (folder / GROUPS).is_file() else None,
        'prepare_command': labeled,
        'test_command': f'{labeled} {held_out}',
    }
    if is_skeleton:
        clips = open_skeleton_folder(folder, f'run `{command}`')
        found['num_classes'] = clips.num_classes
        found['layout'] = clips.layout
        found['num_persons'] = clips.shape[1]
        found['num_coordinates'] = clips.shape[3]
        found['num_frames'] = int(clips.lengths.max(initial=1))
    return found


def require_skeletons(folder: Mapping[str, Any]) -> Mapping[str, Any]:
    """The folder of :func:`describe_folder`, if it holds skeletons; else a KindError."""
    if 'layout' not in folder:
        raise KindError(
            f'{folder["root"]} holds videos, and this config reads skeletons: take one for videos, '
            'such as configs/dtg_tsm-lite0.py'
        )
    return folder


def write_groups(folder: Path, groups: dict[str, str]) -> bool:
    """Keep which samples belong together (of a subject, a session); False if none do."""
    (folder / GROUPS).unlink(missing_ok=True)
    together = len(set(groups.values())) < len(groups)
    if together:
        write_atomically(folder / GROUPS, json.dumps(groups, indent=1) + '\n')
    return together


def read_groups(path: str | os.PathLike[str], names: Iterable[str]) -> np.ndarray:
    """Groups of samples, str ``(N,)``; a sample that the file does not know is one of its own.

    The file may know a video in a shard by its name there.
    """
    groups = read_json(path, 'prepare the folder again', dict)
    found = []
    for name in names:
        shard = split_path(name)
        inside = shard[1] if shard else name
        found.append(str(groups.get(name, groups.get(inside, f'{name}\n'))))
    return np.asarray(found)


def keep_labeled(folder: dict[str, Any], splits: Sequence[str] = ('train', 'test')) -> list[str]:
    """Leave samples without a label out of the lists of a folder of :func:`describe_folder`.

    Lists of the others are written into the folder, and ``folder`` names them then.

    Args:
        folder: Changed in place.
        splits: Lists to look at; a test list may be missing.

    Returns:
        One line for each such list.

    Raises:
        DataError: No sample of a list has a label.
    """
    fix = f'prepare it with labels: `{folder["prepare_command"]}`'
    said, texts = [], {}
    for key, name in zip(('train', 'test'), LABELED):
        path = folder[key]
        if key not in splits or (key == 'test' and not os.path.isfile(path)):
            continue
        names, labels = read_annotation(path, fix)
        lines = [f'{sample} {label}\n' for sample, label in zip(names, labels) if label >= 0]
        if not lines:
            raise DataError(f'{path}: no sample has a label; {fix}')
        if len(lines) < len(names):
            target = str(Path(folder['root'], name))
            texts[key] = target, ''.join(lines)
            said.append(
                f'{path}: {len(names) - len(lines)} of {len(names)} samples have no label and '
                f'are left out, see {target}'
            )
    for key, (target, text) in texts.items():
        folder[key] = target
        write_atomically(target, text)
    return said


def split_folder(folder: dict[str, Any], fraction: float = 0.25, seed: int = 0) -> str:
    """Hold out a test list where a folder of :func:`describe_folder` has none.

    All samples of its training list have labels, see :func:`keep_labeled`. The lists are written
    into the folder, and ``folder`` names them then.

    Returns:
        One line that says how it was drawn.

    Raises:
        DataError: No class has two or more samples.
    """
    fix = f'prepare it with labels: `{folder["prepare_command"]}`'
    names, labels = read_annotation(folder['train'], fix)
    groups = read_groups(folder['groups'], names) if folder['groups'] else None
    held, how = hold_out(np.asarray(labels), fraction, seed, groups)
    if not held.any():
        raise DataError(f'{folder["train"]}: every class has one sample, none can be held out')
    for key, name, chosen in zip(('train', 'test'), HELD_OUT, (~held, held)):
        folder[key] = str(Path(folder['root'], name))
        lines = (f'{names[i]} {labels[i]}\n' for i in np.flatnonzero(chosen))
        write_atomically(folder[key], ''.join(lines))
    return (
        f'{folder["root"]} has no test list: {held.sum()} of {len(held)} samples are held out '
        f'{how} (seed {seed}), see {folder["test"]}'
    )


def hold_out(
    labels: np.ndarray,
    fraction: float,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """Draw a test split of about the same share of each class.

    Groups stay whole where some of them can be held out without emptying a class. Else samples are
    drawn: a class of two or more keeps at least one on each side.

    Args:
        labels: int ``(N,)``.
        fraction: Of the samples, 0..1; by groups one of 1/n or 1 - 1/n is taken.
        groups: str ``(N,)``, equal where samples belong together.

    Returns:
        bool ``(N,)``, true for tests, and how it was drawn: :data:`BY_GROUPS` or in other words.
    """
    # Not at the top: every tool reads this file, and it takes a second.
    from sklearn.model_selection import StratifiedGroupKFold

    limit = 0 if groups is None else min(len(set(groups)), int(np.bincount(labels).max()))
    # Above a half, what stays for training is one of the folds.
    parts = max(2, round(1 / min(fraction, 1 - fraction)))
    if limit > 1:
        folds = StratifiedGroupKFold(min(parts, limit), shuffle=True, random_state=seed)
        for most, few in folds.split(labels, labels, groups):
            train, test = (most, few) if fraction <= 0.5 else (few, most)
            if len(test) and set(labels[train]) == set(labels):
                return np.isin(np.arange(len(labels)), test), BY_GROUPS
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            continue
        size = int(np.clip(round(fraction * len(members)), 1, len(members) - 1))
        held[rng.permutation(members)[:size]] = True
    return held, 'clip by clip'
