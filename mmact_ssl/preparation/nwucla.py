"""NW-UCLA (Wang et al. 2014): skeletons of 10 actions from three views, one JSON per clip."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from mmact_ssl.errors import reason_of
from mmact_ssl.preparation.files import text_files
from mmact_ssl.preparation.skeletons import SkeletonWriter

SETS = {'nwucla': 'NW-UCLA: skeletons from three views, 10 actions'}
NAME = re.compile(r'a(?P<action>\d\d)_s\d\d_e\d\d_v(?P<view>\d\d)')
# By the code in the file name; actions 7 and 10 do not exist.
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
TEST_VIEW = 3


def prepare(source: Path, out: Path) -> dict[str, int]:
    """Convert the set in the form that CTR-GCN and others distribute, and split it by view.

    A label is the index of the clip's action code among the sorted codes of the set. The official
    split trains on views 1 and 2 and tests on view 3.

    Args:
        source: Folder with ``aXX_sYY_eZZ_vWW.json`` at any depth (``all_sqe/``), each with
            ``skeletons`` (T, V=20, 3) (Kinect v1, meters); or their zip archive, or its folder.
        out: Prepared folder to write, with ``xview_train.txt`` and ``xview_test.txt``.
    """
    fix = 'point --source at all_sqe/ or its zip archive'
    clips: dict[str, tuple[int, int, np.ndarray]] = {}  # action, view, skeletons
    left_out: dict[str, str] = {}
    # 14 MB as arrays: small enough to keep until all codes are known.
    for match, read in text_files(source, NAME, '.json', fix):
        try:
            skeletons = np.asarray(json.loads(read())['skeletons'], np.float64)  # (T, V, 3)
            clips[match[0]] = int(match['action']), int(match['view']), skeletons
        except Exception as error:  # noqa: BLE001  (a damaged file may raise almost any)
            left_out[match[0]] = reason_of(error)

    codes = sorted({action for action, _, _ in clips.values()})
    classes = [CLASSES.get(code, f'action {code}') for code in codes]
    splits: dict[str, list[str]] = {'xview_train': [], 'xview_test': []}
    with SkeletonWriter(out, 'NW-UCLA', 'kinect20', classes, num_persons=1) as writer:
        writer.left_out.update(left_out)
        for name, (action, view, skeletons) in clips.items():
            writer.add(name, codes.index(action), skeletons[None])
            splits['xview_test' if view == TEST_VIEW else 'xview_train'].append(name)
        return writer.finish(splits)
