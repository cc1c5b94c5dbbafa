"""Cached poses of a pair are those of the frames that its teacher sees."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.apis.pair import with_pose_frames
from mmact_ssl.errors import DataError
from mmact_ssl.targets.cache import TargetReader, TargetWriter
from mmact_ssl.targets.meta import TargetMeta
from mmact_ssl.targets.values import spread
from tools.research.pair_from_cache import stored_poses


@pytest.mark.parametrize('every', [1, 4])
@pytest.mark.parametrize('total', [61, 62])
def test_no_pose_is_interpolated(tmp_path, every, total):
    path, stored = tmp_path / 'pose.lmdb', spread(total, every)
    meta = TargetMeta('pose', 'coco17', 'teacher', every=every)
    poses = np.random.default_rng(0).random((total, 17, 3), np.float32)
    with TargetWriter(path, meta) as writer:
        writer.put_stored('a.mp4', meta.stored('a.mp4', poses[stored]), total=total)
    frames = np.array(with_pose_frames(dict(start_index=0, total_frames=total))['pose_inds'])
    if every == 4 and total == 62:
        with pytest.raises(DataError, match=r'pose.lmdb: of each 4 frames of a.mp4 it has one'):
            stored_poses(TargetReader(path), 'a.mp4', frames, total)
        return
    found = stored_poses(TargetReader(path), 'a.mp4', frames, total)
    np.testing.assert_array_equal(found, poses[frames])
