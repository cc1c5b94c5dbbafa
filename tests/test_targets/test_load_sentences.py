"""Sentences and whole videos beside skeleton clips: drawn, averaged, or marked as missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.transforms.formatting import PackInputs
from mmact_ssl.datasets.transforms.skeleton.augment import SkeletonFlip
from mmact_ssl.datasets.transforms.skeleton.pretext import MakeSkeletonViews
from mmact_ssl.errors import ConfigError
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.targets.load_targets import LoadTargets

SENTENCES = np.random.default_rng(3).random((4, 6), np.float32)


def write(path, kind='text', entries=None) -> str:
    with TargetWriter(path, TargetMeta(kind, '', 'f')) as writer:
        for key, value in (entries if entries is not None else {'a': SENTENCES}).items():
            writer.put(key, value)
    return str(path)


def load(path: str, **changes) -> LoadTargets:
    options = dict(target='prompt', kind='text', views=('one', 'two'), missing='mask')
    return LoadTargets(**{'cache': path, **options, **changes}).bind('')


def clip(name: str) -> dict:
    """A sample as SkeletonDataset gives it."""
    keypoint = np.ones((1, 5, 20, 3), np.float32)
    return dict(filename=name, frame_dir=name, keypoint=keypoint, total_frames=5, label=1)


def pack(sample: dict) -> dict[str, dict[str, torch.Tensor]]:
    sample = MakeSkeletonViews(dict(one=[], two=[], clip_b=[]))(sample)
    return PackInputs(views=('one', 'two', 'clip_b'))(sample)['targets']


def packed(path: str, name: str, **changes) -> dict[str, dict[str, torch.Tensor]]:
    return pack(load(path, **changes)(clip(name)))


def test_views_of_a_clip_share_one_drawn_sentence(tmp_path):
    path = write(tmp_path / 't')
    np.random.seed(0)
    drawn = [packed(path, 'a') for _ in range(40)]
    for targets in drawn:
        assert targets['clip_b'] == {}
        for view in ('one', 'two'):
            assert set(targets[view]) == {'prompt', 'prompt_valid'}
        assert torch.equal(targets['one']['prompt'], targets['two']['prompt'])
        assert targets['one']['prompt_valid'].dtype == torch.bool
        assert targets['one']['prompt_valid']
    rows = {tuple(targets['one']['prompt'][0].tolist()) for targets in drawn}
    assert rows == {tuple(row) for row in SENTENCES.tolist()}
    (drawn,) = packed(path, 'a', missing='error')['one']['prompt'].tolist()
    assert tuple(drawn) in rows


def test_the_mean_of_all_draws_nothing(tmp_path):
    path = write(tmp_path / 't')
    state = np.random.get_state()[1].copy()
    found = packed(path, 'a', sentences='mean')['one']['prompt']
    np.testing.assert_allclose(found, SENTENCES.mean(0, keepdims=True), rtol=1e-6)
    assert (np.random.get_state()[1] == state).all()


def test_a_clip_without_a_sentence_is_marked_and_not_given_one(tmp_path):
    path = write(tmp_path / 't')
    targets = packed(path, 'b')
    assert targets['one']['prompt'].shape == (1, 6) and not targets['one']['prompt'].any()
    assert not targets['one']['prompt_valid'] and not targets['two']['prompt_valid']
    with pytest.raises(
        TargetCacheError, match="'b' is not in .*--sentences sentences_kinematic.json --out"
    ):
        packed(path, 'b', missing='error')
    assert 'prompt_valid' not in packed(path, 'a', missing='error')['one']


def test_sentences_with_sides_are_refused_beside_a_mirrored_view(tmp_path):
    """At the first sample, whatever is drawn and wherever flip and sentences stand."""
    path, flip = write(tmp_path / 't'), dict(type='SkeletonFlip', flip_ratio=1e-9)
    make, pack_one = MakeSkeletonViews(dict(one=[flip], two=[])), PackInputs(views=('one', 'two'))

    def sample():
        return dict(clip('a'), layout='kinect20')

    message = "a flip mirrors the view 'one', whose sentences may name left and right: "
    with pytest.raises(ConfigError, match=message):
        pack_one(make(load(path)(sample())))
    with pytest.raises(ConfigError, match=message):
        pack_one(load(path)(make(sample())))
    with pytest.raises(ConfigError, match=message):
        pack(load(path)(SkeletonFlip(1.0)(sample())))
    assert 'prompt' in pack_one(make(load(path, views=('two',))(sample())))['targets']['two']
    pack(load(path)(SkeletonFlip(0.0)(sample())))
    PackInputs(views=('two',))(make(load(path)(sample())))


def test_what_cannot_be_masked_is_refused_when_bound(tmp_path):
    frames = write(tmp_path / 'e', 'embedding')
    empty = write(tmp_path / 'n', entries={})
    for path, options in ((frames, dict(kind='embedding')), (empty, {})):
        with pytest.raises(ConfigError, match="missing='mask' needs sentences,"):
            load(path, **options)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(sentences='first'), "sentences='first': 'draw' or 'mean'"),
        (dict(missing='masked'), "missing='masked': 'error' or 'mask'"),
        (dict(key='videos/a'), "key='videos/a' lacks '{}' for the sample's name"),
    ],
)
def test_an_unknown_option_is_named_with_its_choices(option, message):
    with pytest.raises(ConfigError, match=message):
        LoadTargets(**option)


FRAMES = np.random.default_rng(4).normal(size=(9, 6)).astype(np.float32)
WHOLE = dict(target='frames', kind='embedding', views=('one',), whole=True)


def test_a_clip_gets_the_mean_of_all_frames_of_its_video(tmp_path):
    """Of nine, though five are left of the skeleton."""
    path = write(tmp_path / 'e', 'embedding', {'videos/a.mp4': FRAMES})
    for missing in ('mask', 'error'):
        found = packed(path, 'videos/a.mp4', **WHOLE, missing=missing)
        expected = FRAMES.astype(np.float64).mean(0, keepdims=True)
        np.testing.assert_allclose(found['one']['frames'], expected, atol=1e-6)
        assert ('frames_valid' in found['one']) == (missing == 'mask')
        assert found['two'] == {}


def test_a_video_of_another_name_is_found_by_the_key(tmp_path):
    path = write(tmp_path / 'e', 'embedding', {'videos/a_rgb.avi': FRAMES})
    options = dict(WHOLE, key='videos/{}_rgb.avi')
    found = packed(path, 'a', **options)['one']
    np.testing.assert_allclose(found['frames'], FRAMES.mean(0, keepdims=True), atol=1e-6)
    assert found['frames_valid'] and not packed(path, 'b', **options)['one']['frames_valid']
    load(path, **options).check_names(['a', 'b'])
    with pytest.raises(TargetCacheError, match="e.g. 'videos/b_rgb.avi'; .* or correct key of"):
        load(path, **options).check_names(['b', 'c'])
    with pytest.raises(TargetCacheError, match="'videos/b_rgb.avi' is not in"):
        packed(path, 'b', **dict(options, missing='error'))
