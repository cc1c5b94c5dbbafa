"""Description of a user's prepared folder, for configs without a data set.

``--data DIR`` of the tools puts the folder's path into the environment variable
:data:`FOLDER_VARIABLE`, and ``configs/_base_/sets/folder.py`` calls :func:`describe_folder`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.datasets.shards import split_path
from mmact_ssl.datasets.skeleton_folder import META, open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import read_annotation, read_text, write_atomically
from mmact_ssl.io.schema import read_json

FOLDER_VARIABLE = 'MMACT_SSL_FOLDER'
GROUPS = 'groups.json'
CLASS_NAMES = 'classes.txt'  # a line for each label
FLIP = 'flip.json'  # a user's choice, true or false
WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_a-zA-Z]+')  # of snake or camel case
SIDE = re.compile(r'left|right|(?:(?:counter|anti) ?)?clockwise|\b(?:l|r|c?cw)\b')
# Names of training and test lists in prepared folders; the first pair that exists is taken.
LISTS = (
    ('train.txt', 'test.txt'),
    ('xsub_train.txt', 'xsub_test.txt'),
    ('xview_train.txt', 'xview_test.txt'),
    ('xset_train.txt', 'xset_test.txt'),
    ('train1.txt', 'test1.txt'),
    ('all.txt', 'all_test.txt'),
)
VIDEOS = 'mmact-ssl prepare videos --source DIR'
SKELETONS = 'mmact-ssl prepare custom --source FILE --layout kinect20'


def describe_folder(path: str | None = None) -> dict[str, Any]:
    """Describe a folder that tools/prepare_data.py has written.

    Args:
        path: The folder; by default the value of the environment variable.

    Returns:
        dict: ``name`` and ``root``; ``train`` and ``test``, paths of the lists (the test list may
        be missing); ``num_train``, the number of training samples; ``num_classes``, 0 without
        labels; ``groups``, path of a file ``{sample: group}`` or None; ``no_flip``, see
        :func:`why_not_flip`; ``prepare_command``, and ``test_command``, which also makes a test
        list. For skeletons also ``layout``, ``num_persons``, ``num_coordinates`` (2 or 3) and
        ``num_frames`` of the longest clip.
    """
    root = os.environ.get(FOLDER_VARIABLE) if path is None else path
    if not root:
        raise ConfigError('this config names no data set: give --data DIR or --set NAME')
    folder = Path(root)
    is_skeleton = (folder / META).is_file()
    command = f'{SKELETONS if is_skeleton else VIDEOS} --out {root}'
    if not folder.is_dir():
        raise DataError(
            f'{root}: no such folder; run `{VIDEOS} --out {root}`, or see docs/extend/data.md'
        )
    train, test = next((pair for pair in LISTS if (folder / pair[0]).is_file()), LISTS[0])
    val = test.replace('test', 'val')  # pyskl's name
    if (folder / val).is_file() and not (folder / test).is_file():
        test = val
    names, labels = read_annotation(folder / train, f'run `{command}`')
    labeled = command if is_skeleton else f'{command} --labels TABLE'
    held_out = '--train-subjects NUMBER ...' if is_skeleton else '--test-fraction 0.5'
    description: dict[str, Any] = {
        'name': folder.resolve().name,
        'root': root,
        'train': str(folder / train),
        'test': str(folder / test),
        'num_train': len(names),
        'num_classes': max(labels) + 1,
        'groups': str(folder / GROUPS) if (folder / GROUPS).is_file() else None,
        'no_flip': why_not_flip(folder),
        'prepare_command': labeled,
        'test_command': f'{labeled} {held_out}',
    }
    if is_skeleton:
        clips = open_skeleton_folder(folder, f'run `{command}`')
        description['num_classes'] = clips.num_classes
        description['layout'] = clips.layout
        description['num_persons'] = clips.shape[1]
        description['num_coordinates'] = clips.shape[3]
        description['num_frames'] = int(clips.lengths.max(initial=1))
    return description


def why_not_flip(folder: Path) -> str:
    """Why no clip of a prepared folder is mirrored; '' if clips may be."""
    fix = 'prepare the folder again'
    if (folder / FLIP).is_file():
        return '' if read_json(folder / FLIP, fix, bool) else 'clips are not mirrored: --no-flip'
    classes = read_text(folder / CLASS_NAMES, fix) if (folder / CLASS_NAMES).is_file() else ''
    pair = ' and '.join(map(repr, sided_classes(classes.splitlines())))
    return pair and f'clips are not mirrored: classes {pair} differ by side; prepare --flip mirrors'


def sided_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Two classes whose names differ only in words for a side or a direction of turning, or ()."""
    seen: dict[str, tuple[str, list[str]]] = {}
    for name in names:
        words = ' '.join(WORD.findall(name)).lower()
        sides = SIDE.findall(words)
        first, first_sides = seen.setdefault(SIDE.sub('*', words), (name, sides))
        if sides != first_sides:
            return first, name
    return ()


def make_lists(folder: dict[str, Any], splits: Sequence[str] = ('train', 'test')) -> list[str]:
    """Keep the labeled samples of a folder, and hold out half if it has no test list.

    Changed lists are new files in the folder, and ``folder`` then refers to them.

    Args:
        folder: A folder of :func:`describe_folder`, changed in place.
        splits: Lists to make; unless both are, nothing is held out.

    Returns:
        A line for the user about each change.

    Raises:
        DataError: No sample of a list has a label, or none can be held out.
    """
    fix = f'prepare it with labels: `{folder["prepare_command"]}`'
    messages, lists = [], {}
    for split in (split for split in splits if os.path.isfile(folder[split])):
        samples = [*zip(*read_annotation(folder[split], fix))]
        lists[split] = [(name, label) for name, label in samples if label >= 0]
        if not lists[split]:
            raise DataError(f'{folder[split]}: no sample has a label; {fix}')
        if unlabeled := len(samples) - len(lists[split]):
            messages.append(
                f'{folder[split]}: {unlabeled} of {len(samples)} samples have no label and are '
                'left out'
            )
    if 'train' in lists and {*splits} - {*lists}:  # no test list
        names, labels = zip(*lists['train'])
        groups = read_groups(folder['groups'], names) if folder['groups'] else None
        is_test = hold_out(np.asarray(labels), 0.5, groups=groups)
        for split, chosen in (('test', is_test), ('train', ~is_test)):
            lists[split] = [(names[i], labels[i]) for i in np.flatnonzero(chosen)]
        messages.append(
            f'{folder["root"]} has no test list: {is_test.sum()} of {len(names)} samples are held '
            'out'
        )
    if messages:
        for split, kept in lists.items():
            folder[split] = str(Path(folder['root'], f'labeled_{split}.txt'))
            write_atomically(folder[split], ''.join(f'{name} {label}\n' for name, label in kept))
        messages[-1] += f'; see {", ".join(folder[split] for split in lists)}'
    return messages


def read_groups(path: str | os.PathLike[str], names: Iterable[str]) -> np.ndarray:
    """Groups of samples, str ``(N,)``; a sample that the file lacks is a group by itself.

    The file may list a video in a shard by its name within the shard.
    """
    groups = read_json(path, 'prepare the folder again', dict[str, str])
    inside = ((name, (split_path(name) or (name,))[-1]) for name in names)
    return np.array([groups.get(name, groups.get(part, f'{name}\n')) for name, part in inside])


def hold_out(
    labels: np.ndarray,
    fraction: float,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> np.ndarray:
    """Draw a test split of about the same share of each class; groups stay whole.

    Without groups, a class of two or more samples has at least one on each side.

    Args:
        labels: int ``(N,)``.
        fraction: Share of the test samples, 0..1; with groups it is rounded to 1/n or 1 - 1/n.
        groups: str ``(N,)``, equal for samples that belong together.

    Returns:
        bool ``(N,)``, True for test samples.

    Raises:
        DataError: Nothing can be held out so that each class has a training sample.
    """
    is_test, rng = np.zeros(len(labels), dtype=bool), np.random.default_rng(seed)
    if groups is None:
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            size = min(max(round(fraction * len(members)), 1), len(members) - 1)
            is_test[rng.permutation(members)[:size]] = True
    else:
        # Here, as every tool imports this file. Before 1.8 its own shuffling ignores the classes.
        from sklearn.model_selection import StratifiedGroupKFold

        # For a fraction above 1/2, one fold is the training list.
        parts = max(2, round(1 / min(fraction, 1 - fraction)))
        names, numbers = np.unique(groups, return_inverse=True)
        limit = min(parts, len(names), int(np.bincount(labels).max()))
        folds, mixed = StratifiedGroupKFold(max(2, limit)), rng.permutation(len(names))[numbers]
        for most, few in folds.split(labels, labels, mixed) if limit > 1 else ():
            train, test = (most, few) if fraction <= 0.5 else (few, most)
            if len(test) and set(labels[train]) == set(labels):
                is_test[test] = True
                break
    if not is_test.any():
        raise DataError(
            'no sample can be held out for the test without taking a class from the training: '
            'label more samples, or more groups of each class'
        )
    return is_test


def match_names(names: Sequence[str], pattern: str, setting: str) -> list[tuple[str, ...]]:
    """Groups of a regular expression in each name; it must have a group and match all names."""
    try:
        has_group = re.compile(pattern).groups > 0
    except (re.error, TypeError):  # a comma on a command line makes it a list
        has_group = False
    if not has_group:
        raise ConfigError(
            f'{setting} {pattern!r} is not a regular expression with a group; put what the names '
            'have in common into parentheses'
        )
    matches = [re.search(pattern, name) for name in names]
    if None in matches:
        name = names[matches.index(None)]
        raise ConfigError(f'{setting} {pattern!r} does not match {name!r}; fix it')
    return [match.groups() for match in matches if match]


def write_groups(folder: Path, groups: dict[str, str]) -> bool:
    """Write the group (subject, session) of each sample; False if all groups are single samples."""
    (folder / GROUPS).unlink(missing_ok=True)
    has_groups = len(set(groups.values())) < len(groups)
    if has_groups:
        write_atomically(folder / GROUPS, json.dumps(groups, indent=1) + '\n')
    return has_groups
