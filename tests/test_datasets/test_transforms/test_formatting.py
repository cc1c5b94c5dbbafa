"""PackPretextInputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.transforms import PackPretextInputs


def made_results(**more):
    random = np.random.RandomState(0)
    return {
        'filename': 'a.mp4',
        'total_frames': 9,
        'frame_inds': {'clip': np.arange(4), 'keyframes': np.arange(2)},
        'valid': {'clip': np.array([1, 1, 1, 0], bool), 'keyframes': np.array([1, 0], bool)},
        'views': {
            'clip': list(random.randint(0, 255, (4, 6, 8, 3)).astype(np.uint8)),
            # Crops and flips hand over views of arrays with odd strides.
            'keyframes': list(random.randint(0, 255, (2, 9, 9, 3)).astype(np.uint8)[:, 2:, ::-1]),
        },
        'poses': {'clip': random.rand(4, 17, 3).astype(np.float32) * [8, 6, 1]},
        **more,
    }


def test_tensors():
    results = made_results()
    packed = PackPretextInputs(views=('clip', 'keyframes')).transform(results)
    for view, frames in results['views'].items():
        tensor = packed['inputs'][view]
        assert tensor.dtype == torch.uint8 and tensor.is_contiguous()
        np.testing.assert_array_equal(tensor.numpy(), np.stack(frames).transpose(3, 0, 1, 2))
    targets = packed['targets']
    assert set(targets) == {'clip_valid', 'keyframes_valid', 'clip_pose'}
    assert targets['clip_valid'].tolist() == [True, True, True, False]
    assert targets['clip_valid'].dtype == torch.bool
    pose = targets['clip_pose']
    np.testing.assert_allclose(pose, results['poses']['clip'] / [8, 6, 1], rtol=1e-6)
    assert pose.dtype == torch.float32


def test_speed_and_video_are_packed_for_contrasts_of_several_clips():
    results = made_results(speed={'clip': 4})
    targets = PackPretextInputs(views=('clip', 'keyframes'), video=True).transform(results)[
        'targets'
    ]
    assert targets['clip_speed'] == 4 and targets['clip_speed'].dtype == torch.int64
    assert 'keyframes_speed' not in targets
    assert targets['video'].dtype == torch.int64 and targets['video'].ndim == 0
    for name, same in (('a.mp4', True), ('b.mp4', False)):
        other = made_results() | {'filename': name}
        packed = PackPretextInputs(views=('clip',), video=True).transform(other)
        assert (packed['targets']['video'] == targets['video']) == same


def test_other_targets_are_packed_under_their_names():
    maps = np.random.RandomState(0).rand(4, 2, 3, 5).astype(np.float32)
    results = made_results(
        target_meta={'parts': None, 'action': None},
        parts={'clip': maps[..., ::-1]},
        action={'clip': np.ones((1, 7), np.float32), 'keyframes': np.zeros((2, 7))},
    )
    targets = PackPretextInputs(views=('clip', 'keyframes')).transform(results)['targets']
    np.testing.assert_array_equal(targets['clip_parts'], maps[..., ::-1])
    assert targets['keyframes_action'].shape == (2, 7)
    assert {targets[name].dtype for name in ('clip_parts', 'keyframes_action')} == {torch.float32}
    assert 'keyframes_parts' not in targets
    targets = PackPretextInputs(views=('keyframes',)).transform(results)['targets']
    assert set(targets) == {'keyframes_valid', 'keyframes_action'}


def test_data_sample():
    pack = PackPretextInputs(views=('clip',))
    packed = pack.transform(made_results(label=3, replaced='b.mp4: is broken'))
    assert set(packed['inputs']) == {'clip'}
    data_sample = packed['data_samples']
    assert data_sample.gt_label.tolist() == [3]
    assert (data_sample.filename, data_sample.total_frames) == ('a.mp4', 9)
    assert data_sample.frame_inds['clip'].tolist() == [0, 1, 2, 3]
    assert data_sample.replaced == 'b.mp4: is broken'
    for unlabeled in (made_results(), made_results(label=-1)):
        data_sample = pack.transform(unlabeled)['data_samples']
        assert 'gt_label' not in data_sample and data_sample.replaced == ''


def test_a_missing_view_is_named():
    with pytest.raises(KeyError, match=r"'future' is not among .*'clip'"):
        PackPretextInputs(views=('future',)).transform(made_results())
