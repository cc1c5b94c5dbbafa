"""Part maps from a cache of poses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.errors import BrokenSampleError, DataError
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.models.teachers.part_drawing import PartDrawing
from mmact_ssl.registry import MODELS
from mmact_ssl.targets import LoadTargets
from mmact_ssl.targets.broken_videos import broken_listing, read_broken
from mmact_ssl.targets.cache import TargetReader, TargetWriter
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.part_maps import draw_parts

FRAMES, VIDEOS = 70, ('wide.mp4', 'high.mp4')  # more frames than are drawn at once


@MODELS.register_module(force=True)
class CornersTeacher(BaseTeacher):
    """Random joints, that follow the brightness of the frame's corners."""

    layout = 'coco17'

    def __init__(self) -> None:
        super().__init__({}, {})
        self.weights = torch.rand(12, 51, generator=torch.Generator().manual_seed(0))

    def predict(self, frames):
        corners = frames[:, :, :: frames.shape[2] - 1, :: frames.shape[3] - 1].flatten(1)
        return (corners.float() @ self.weights / 255).frac().unflatten(1, (17, 3))


@pytest.fixture(scope='module')
def root(tmp_path_factory, make_video) -> Path:
    """Two videos of other shapes, a cache of poses and one of the parts drawn from them."""
    root = tmp_path_factory.mktemp('parts')
    make_video(root / 'wide.mp4', num_frames=FRAMES, width=96, height=64)
    make_video(root / 'high.mp4', num_frames=FRAMES, width=64, height=96)
    poses = root / 'targets/pose.lmdb'
    extract_many([ExtractionJob(CornersTeacher(), poses)], root, VIDEOS)
    assert draw_parts(poses, root / 'targets/parts.lmdb', root) == 2
    return root


def test_they_are_those_of_the_cached_poses(root: Path, tmp_path: Path):
    poses, out = root / 'targets/pose.lmdb', tmp_path / 'parts.lmdb'
    assert draw_parts(poses, out, root) == 2
    drawn, source, drawing = TargetReader(out), TargetReader(poses), PartDrawing((64, 64))
    assert drawn.keys() == sorted(VIDEOS)
    assert drawn.meta.fingerprint == drawing.fingerprint(source.meta.fingerprint)
    assert (drawn.meta.kind, drawn.meta.layout) == ('map', 'pose_parts')
    for name, aspect in (('wide.mp4', 96 / 64), ('high.mp4', 64 / 96)):
        expected = drawing(torch.from_numpy(source.get(name)), 'coco17', aspect)
        np.testing.assert_allclose(drawn.get(name), expected, atol=1e-4)
        assert drawn.get(name)[:, 1:].max() > 0.9
    # Done already; other maps are another cache.
    assert draw_parts(poses, out, root) == 0
    with TargetWriter(out, drawn.meta) as writer:
        writer.remove(['wide.mp4'])  # the last one
    assert draw_parts(poses, out, root) == 1
    assert draw_parts(poses, out, root, overwrite=True) == 2
    with pytest.raises(DataError, match="holds 'map': parts are drawn from poses"):
        draw_parts(out, tmp_path / 'more.lmdb', root)


def test_videos_without_poses_are_listed_as_broken_beside_the_maps(root: Path, tmp_path: Path):
    """Training replaces what is listed, and stops at what is only missing."""
    poses, out = tmp_path / 'pose.lmdb', tmp_path / 'parts.lmdb'
    (root / 'bad.mp4').write_bytes(b'no video')
    extract_many([ExtractionJob(CornersTeacher(), poses)], root, (*VIDEOS, 'bad.mp4'))
    listing = broken_listing(out)
    listing.write_text('old.mp4\tof a cache that is gone\n')
    assert draw_parts(poses, out, root) == 2
    reason = read_broken(poses)['bad.mp4']
    assert read_broken(out) == {'bad.mp4': reason}
    sample = dict(filename=str(root / 'bad.mp4'), total_frames=2, frame_inds=dict(clip=[0, 1]))
    with pytest.raises(BrokenSampleError, match=f'bad.mp4: {re.escape(reason)}'):
        LoadTargets('parts', str(out), kind='map').bind(tmp_path, str(root))(sample)
    # Without a list of the poses nothing is listed.
    broken_listing(poses).unlink()
    assert draw_parts(poses, out, root, overwrite=True) == 2
    assert not listing.exists()
