"""PackInputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.transforms.formatting import PackInputs
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.targets.cache import TargetMeta

RANDOM = np.random.RandomState(0)
POSE = RANDOM.rand(4, 17, 3) * [8, 6, 1]
MAPS = RANDOM.rand(4, 2, 3, 5).astype(np.float32)


def made_results(**more):
    random = np.random.RandomState(0)
    return {
        'filename': 'a.mp4',
        'total_frames': 9,
        'frame_inds': {'clip': np.arange(4), 'keyframes': np.arange(2)},
        'views': {
            'clip': list(random.randint(0, 255, (4, 6, 8, 3)).astype(np.uint8)),
            # Crops and flips hand over views of arrays with odd strides.
            'keyframes': list(random.randint(0, 255, (2, 9, 9, 3)).astype(np.uint8)[:, 2:, ::-1]),
        },
        'target_meta': {'pose': TargetMeta('pose', 'coco17', 'f')},
        'targets': {
            'clip': {
                'valid': np.array([1, 1, 1, 0], bool),
                'pose': POSE.copy(),
                'speed': 4,
                'parts': MAPS[..., ::-1],
                'prompt_valid': False,
            },
            'keyframes': {'valid': np.array([1, 0], bool), 'action': np.zeros((7, 2)).T},
        },
        **more,
    }


def test_frames_and_targets_become_tensors():
    results = made_results()
    packed = PackInputs(views=('clip', 'keyframes')).transform(results)
    for view, frames in results['views'].items():
        tensor = packed['inputs'][view]
        assert tensor.dtype == torch.uint8 and tensor.is_contiguous()
        np.testing.assert_array_equal(tensor.numpy(), np.stack(frames).transpose(3, 0, 1, 2))
    assert set(packed['targets']) == {'clip', 'keyframes'}
    clip = packed['targets']['clip']
    assert clip['valid'].dtype == torch.bool and clip['valid'].tolist() == [True] * 3 + [False]
    np.testing.assert_allclose(clip['pose'], POSE / [8, 6, 1], rtol=1e-6)
    assert clip['speed'].dtype == torch.int64 and clip['speed'] == 4 and clip['speed'].ndim == 0
    np.testing.assert_array_equal(clip['parts'], MAPS[..., ::-1])
    assert clip['prompt_valid'].dtype == torch.bool and not clip['prompt_valid']
    action = packed['targets']['keyframes']['action']
    for tensor in (clip['pose'], clip['parts'], action):
        assert tensor.dtype == torch.float32 and tensor.is_contiguous()
    np.testing.assert_array_equal(results['targets']['clip']['pose'], POSE)  # left as it was
    assert set(PackInputs(views=('keyframes',)).transform(results)['targets']) == {'keyframes'}


def test_skeletons_and_their_targets_become_tensors():
    keypoint = RANDOM.rand(2, 9, 20, 3)[:, ::-1]
    targets = {'shuffled': {'permutation': np.int64(3)}}
    results = {
        'frame_dir': 'a01',
        'views': {'clip': keypoint, 'shuffled': keypoint},
        'targets': targets,
        'label': 3,
    }
    packed = PackInputs(('shuffled', 'clip'))(results)
    for tensor in packed['inputs'].values():
        assert tensor.dtype == torch.float32 and tensor.is_contiguous()
        np.testing.assert_allclose(tensor, keypoint, rtol=1e-6)
    target = packed['targets']['shuffled']['permutation']
    assert target.dtype == torch.int64 and target.shape == () and target == 3
    assert packed['targets']['clip'] == {}
    assert packed['data_samples'].gt_label.tolist() == [3]
    assert packed['data_samples'].frame_dir == 'a01'


def test_a_view_that_is_not_made_is_named():
    with pytest.raises(KeyError, match=r"PackInputs: view 'gone' is not among .*'clip'"):
        PackInputs(['clip', 'gone'])(made_results())


@pytest.mark.parametrize('label', [3, -1, None])
def test_label_and_video_are_targets_only_on_demand(label):
    results = made_results(**({} if label is None else {'label': label}))
    assert 'sample' not in PackInputs(('clip',))(results)['targets']
    sample = PackInputs(('clip',), label=True, video=True)(results)['targets']['sample']
    for tensor in sample.values():
        assert tensor.dtype == torch.int64 and tensor.shape == ()
    assert sample['label'] == (-1 if label is None else label)
    for name, same in (('a.mp4', True), ('b.mp4', False)):
        other = PackInputs(('clip',), video=True)({**results, 'filename': name})
        assert (other['targets']['sample']['video'] == sample['video']) == same


def test_data_sample():
    pack = PackInputs(views=('clip',))
    assert pack(made_results(label=0))['data_samples'].gt_label.tolist() == [0]
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


@pytest.mark.parametrize('place', ['view', 'target'])
def test_a_sample_with_a_number_that_is_not_finite_is_broken(place):
    skeletons, target = np.ones((1, 4, 20, 3), np.float32), np.ones((1, 8), np.float32)
    (skeletons if place == 'view' else target)[0, 3] = np.nan
    results = dict(filename='a01', views={'clip': skeletons}, targets={'clip': {'prompt': target}})
    name = 'clip' if place == 'view' else 'clip.prompt'
    with pytest.raises(BrokenSampleError, match=f'a01: its {name} is not finite'):
        PackInputs(['clip']).transform(results)


def test_an_unseen_joint_may_be_anywhere_and_a_seen_one_may_not():
    def packed(joint):
        results = made_results()
        results['targets']['clip']['pose'][1, 2] = joint
        return PackInputs(['clip']).transform(results)['targets']['clip']['pose']

    unseen, other = packed([np.nan, np.inf, 0]), packed([8, 6, 0])
    assert unseen[1, 2].tolist() == [0, 0, 0]
    other[1, 2] = 0  # where else it is does not matter
    assert torch.equal(unseen, other)
    for wrong in ([np.nan, 1, 0.5], [1, 1, np.nan]):
        with pytest.raises(BrokenSampleError, match='its clip.pose is not finite'):
            packed(wrong)
