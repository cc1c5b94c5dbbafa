"""NW-UCLA (Wang et al. 2014): skeletons of 10 actions from three views, one JSON a clip."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.preparation.text_sources import TextFile, text_files

NAME = re.compile(r'a(?P<action>\d\d)_s(?P<subject>\d\d)_e(?P<event>\d\d)_v(?P<view>\d\d)')
# By the code in the file name; there is no action 7 and no action 10.
CLASSES = {
    1: 'pick up with one hand',
    2: 'pick up with two hands',
    3: 'drop trash',
    4: 'walk around',
    5: 'sit down',
    6: 'stand up',
    8: 'donning',
    9: 'doffing',
    11: 'throw',
    12: 'carry',
}
TEST_VIEWS = (3,)


def prepare_nwucla(source: Path, out: Path) -> dict[str, int]:
    """Convert the set as CTR-GCN and others distribute it, and split it by view.

    A label is the position of the clip's action code among the sorted codes that occur. The
    official split trains on views 1 and 2 and tests on view 3.

    Args:
        source: Folder with ``aXX_sYY_eZZ_vWW.json`` at any depth (``all_sqe/``), each with
            ``skeletons`` [T, V=20, 3] (Kinect v1, meters); or the zip archive that holds them, or
            its folder.
        out: Prepared folder to write, with ``xview_train.txt`` and ``xview_test.txt``.

    Returns:
        dict: number of clips, of clips per split, and of clips left out.

    Raises:
        DataError: the source has no such file or none of use.
    """
    files = text_files(source, NAME, '.json', 'point --source at all_sqe/ or its zip archive')
    clips: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for file in files:  # 14 MB as arrays: small enough to be held until the codes are known
        try:
            clips[file.path.stem] = read_clip(file)
        except ValueError as error:
            left_out[file.path.stem] = str(error)

    numbers = {name: _numbers(name) for name in clips}
    codes = sorted({one['action'] for one in numbers.values()})
    classes = [CLASSES.get(code, f'action {code}') for code in codes]
    splits: dict[str, list[str]] = {'xview_train': [], 'xview_test': []}
    with SkeletonWriter(out, 'NW-UCLA', 'kinect20', classes, num_persons=1) as writer:
        for name, reason in left_out.items():
            writer.leave_out(name, reason)
        for name, one in numbers.items():
            writer.add(name, codes.index(one['action']), clips[name][None])
            splits['xview_test' if one['view'] in TEST_VIEWS else 'xview_train'].append(name)
        return writer.finish(splits)


def read_clip(file: TextFile) -> np.ndarray:
    """Read the ``skeletons`` of one file: float [T, V, 3].

    Raises:
        ValueError: the JSON is cut short or of another form; says which.
    """
    try:
        content = json.loads(file.read())
    except ValueError as error:
        raise ValueError(f'not whole JSON: {error}') from error
    try:
        return np.asarray(content['skeletons'], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError('no skeletons of the same number of joints in all frames') from error


def _numbers(name: str) -> dict[str, int]:
    """``action``, ``subject``, ``event`` and ``view`` of a clip."""
    match = NAME.fullmatch(name)
    assert match  # text_files gave no other
    return {key: int(value) for key, value in match.groupdict().items()}
