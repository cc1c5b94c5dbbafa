"""Sentences and whole videos beside skeleton clips: drawn, averaged, or marked as missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.transforms.skeleton import MakeSkeletonViews, PackSkeletonInputs
from mmact_ssl.errors import ConfigError
from mmact_ssl.targets import cache as cache_module
from mmact_ssl.targets import load_targets as module
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetReader, TargetWriter
from mmact_ssl.targets.load_targets import LoadTargetCache

SENTENCES = np.random.default_rng(3).random((4, 6), np.float32)


def write(path, kind='text', entries=None) -> str:
    with TargetWriter(path, TargetMeta(kind, '', 'f')) as writer:
        for key, value in (entries if entries is not None else {'a': SENTENCES}).items():
            writer.put(key, value)
    return str(path)


def load(path: str, **changes) -> LoadTargetCache:
    options = dict(target='prompt', kind='text', views=('one', 'two'), missing='mask')
    return LoadTargetCache(path, **{**options, **changes})


def clip(name: str) -> dict:
    """A sample as SkeletonDataset gives it."""
    keypoint = np.ones((1, 5, 20, 3), np.float32)
    return dict(filename=name, frame_dir=name, keypoint=keypoint, total_frames=5, label=1)


def packed(path: str, name: str, **changes) -> dict[str, torch.Tensor]:
    sample = load(path, **changes)(clip(name))
    sample = MakeSkeletonViews(dict(one=[], two=[], clip_b=[]))(sample)
    return PackSkeletonInputs(views=('one', 'two', 'clip_b'))(sample)['targets']


def test_views_of_a_clip_share_one_drawn_sentence(tmp_path):
    path = write(tmp_path / 't')
    np.random.seed(0)
    drawn = [packed(path, 'a') for _ in range(40)]
    for targets in drawn:
        assert set(targets) == {
            f'{v}_prompt{end}' for v in ('one', 'two') for end in ('', '_valid')
        }
        assert torch.equal(targets['one_prompt'], targets['two_prompt'])
        assert targets['one_prompt_valid'].dtype == torch.bool and targets['one_prompt_valid']
    rows = {tuple(targets['one_prompt'][0].tolist()) for targets in drawn}
    assert rows == {tuple(row) for row in SENTENCES.tolist()}


def test_the_mean_of_all_draws_nothing(tmp_path):
    path = write(tmp_path / 't')
    state = np.random.get_state()[1].copy()
    found = packed(path, 'a', sentences='mean')['one_prompt']
    np.testing.assert_allclose(found, SENTENCES.mean(0, keepdims=True), rtol=1e-6)
    assert (np.random.get_state()[1] == state).all()


def test_a_clip_without_a_sentence_is_marked_and_not_given_one(tmp_path):
    path = write(tmp_path / 't')
    targets = packed(path, 'b')
    assert targets['one_prompt'].shape == (1, 6) and not targets['one_prompt'].any()
    assert not targets['one_prompt_valid'] and not targets['two_prompt_valid']
    with pytest.raises(TargetCacheError, match="'b' is not in .*--sentences FILE --out"):
        packed(path, 'b', missing='error')
    assert 'one_prompt_valid' not in packed(path, 'a', missing='error')


def test_names_that_match_nothing_are_an_error(tmp_path):
    path = write(tmp_path / 't')
    with pytest.raises(
        TargetCacheError, match="none of the 2 annotated samples, e.g. 'b'; it has 'a': make"
    ):
        load(path).check_names(['b', 'c'])
    load(path).check_names([])
    load(path, missing='error').check_names(['b', 'c'])  # the first sample says which


def test_the_share_that_is_masked_is_logged_without_reading_a_value(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(module, 'print_log', lambda text, logger: logged.append(text))
    transform = load(write(tmp_path / 't'))
    opened = []
    reading = cache_module.reading
    monkeypatch.setattr(cache_module, 'reading', lambda *a: opened.append(a) or reading(*a))
    monkeypatch.setattr(TargetReader, 'get', None)
    transform.check_names(['data/x/a', 'a.mp4'])
    assert logged == [] and len(opened) == 1
    transform.check_names(iter(['a', 'b', 'c']))
    assert len(logged) == 1 and len(opened) == 2
    assert logged[0].startswith('2 of 3 samples (66.7%) are not in the target cache')
    assert logged[0].endswith("their 'prompt' is masked")


def test_what_cannot_be_masked_is_refused_when_built(tmp_path):
    text, frames = write(tmp_path / 't'), write(tmp_path / 'e', 'embedding')
    empty = write(tmp_path / 'n', entries={})
    for path, options in (
        (text, dict(sentences='all')),
        (frames, dict(kind='embedding')),
        (empty, {}),
    ):
        with pytest.raises(ConfigError, match="missing='mask' needs a cache of sentences"):
            load(path, **options)
    with pytest.raises(ConfigError, match="missing is 'skip', not one of"):
        load(text, missing='skip')
    with pytest.raises(ConfigError, match="sentences is 'first', not one of"):
        load(text, sentences='first')


FRAMES = np.random.default_rng(4).normal(size=(9, 6)).astype(np.float32)


def load_whole(path: str, **changes) -> LoadTargetCache:
    options = dict(target='frames', kind='embedding', views=('one',), whole=True, missing='mask')
    return LoadTargetCache(path, **{**options, **changes})


def packed_whole(path: str, name: str, **changes) -> dict[str, torch.Tensor]:
    sample = load_whole(path, **changes)(clip(name))
    sample = MakeSkeletonViews(dict(one=[], clip_b=[]))(sample)
    return PackSkeletonInputs(views=('one', 'clip_b'))(sample)['targets']


def test_a_clip_gets_the_mean_of_all_frames_of_its_video(tmp_path):
    """Of nine, though five are left of the skeleton."""
    path = write(tmp_path / 'e', 'embedding', {'videos/a.mp4': FRAMES})
    for missing in ('mask', 'error'):
        found = packed_whole(path, 'videos/a.mp4', missing=missing)
        expected = FRAMES.astype(np.float64).mean(0, keepdims=True)
        np.testing.assert_allclose(found['one_frames'], expected, atol=1e-6)
        assert ('one_frames_valid' in found) == (missing == 'mask')
    assert set(packed_whole(path, 'videos/a.mp4')) == {'one_frames', 'one_frames_valid'}


def test_a_clip_without_a_video_is_marked(tmp_path):
    path = write(tmp_path / 'e', 'embedding', {'a': FRAMES})
    found = packed_whole(path, 'b')
    assert found['one_frames'].shape == (1, 6) and not found['one_frames'].any()
    assert not found['one_frames_valid'] and packed_whole(path, 'a')['one_frames_valid']
    with pytest.raises(TargetCacheError, match="'b' is not in"):
        packed_whole(path, 'b', missing='error')


def test_the_mean_is_taken_of_embeddings_alone(tmp_path):
    with pytest.raises(ConfigError, match="whole=True takes the mean of embeddings; .*'text'"):
        load_whole(write(tmp_path / 't'), kind='text')


def test_sentences_and_frames_stand_beside_each_other(tmp_path):
    text = write(tmp_path / 't')
    frames = write(tmp_path / 'e', 'embedding', {'b': FRAMES})
    sample = load_whole(frames)(load(text, views=('one',))(clip('a')))
    targets = PackSkeletonInputs(views=('one',))(MakeSkeletonViews(dict(one=[]))(sample))['targets']
    assert targets['one_prompt_valid'] and not targets['one_frames_valid']
    assert targets['one_prompt'].any() and not targets['one_frames'].any()
