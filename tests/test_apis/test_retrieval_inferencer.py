"""Searching one's own clips: by clip, feature and sentence."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.apis import load_model
from mmact_ssl.apis.clips import Clip
from mmact_ssl.apis.feature_inferencer import FeatureInferencer, embed
from mmact_ssl.apis.publish import text_part
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.io.files import sha256_of_file
from mmact_ssl.io.student_file import StudentFile
from tests.helpers.students import Words, prompt_head, write_student


@pytest.fixture
def search(video_model, labeled_world, tmp_path):
    search = RetrievalInferencer(video_model, tmp_path / 'mine.index', show_progress=False)
    search.add(labeled_world / 'videos')
    return search


def check_hits(hits, similarity: dict[str, float], top: int) -> None:
    """Each hit is as similar as it says, and none that is more similar is left out."""
    found = [hit['similarity'] for hit in hits]
    np.testing.assert_allclose(found, [similarity[hit['name']] for hit in hits], atol=1e-5)
    np.testing.assert_allclose(found, sorted(similarity.values(), reverse=True)[:top], atol=1e-5)
    assert len({hit['name'] for hit in hits}) == top


def test_clips_and_features_find_what_is_most_similar(search, video_model, labeled_world):
    videos = sorted((labeled_world / 'videos').iterdir())
    features = normalize(embed(video_model, labeled_world / 'videos'))
    found = search([str(videos[3]), str(videos[8])], top=4)
    assert found['queries'] == [str(videos[3]), str(videos[8])] and found['broken'] == {}
    for query, hits in zip((3, 8), found['hits']):
        check_hits(hits, {str(v): s for v, s in zip(videos, features @ features[query])}, 4)
    with pytest.raises(ConfigError, match='search by have 3 values, those of .* have'):
        search(features[:2, :3])
    with pytest.raises(DataError, match='not finite'):
        search(features[:2] * [[1], [np.nan]])
    for query in (dict(), dict(inputs=features[:2], text='a wave')):
        with pytest.raises(ConfigError, match='search by clips, by features or by text='):
            search(**query)
    with pytest.raises(ConfigError, match='one hit or more'):
        search(features[0], top=0)
    with pytest.raises(ConfigError, match=r'is a backbone alone and reads no sentences: publish'):
        search(text='somebody waves')
    one = search(embed(video_model, videos[3]), top=4)
    assert one['queries'] == ['feature 0']
    scores = [[hit['similarity'] for hit in found['hits'][0]] for found in (one, found)]
    np.testing.assert_allclose(*scores, atol=1e-5)


def test_a_clip_is_added_once_and_a_broken_one_named(search, video_model, labeled_world, tmp_path):
    other = tmp_path / 'other'
    shutil.copytree(labeled_world / 'videos', other)
    names = sorted(path.name for path in other.iterdir())
    (other / names[0]).write_bytes(b'torn')
    count = len(names)
    assert search.add(labeled_world / 'videos') == dict(
        added=0, changed=0, known=count, gone=0, broken={}
    )
    # The same names in another folder are other clips.
    again = RetrievalInferencer(video_model, search.index.path, show_progress=False)
    report = again.add([labeled_world / 'videos', other, other / names[1]])
    assert (report['added'], report['known']) == (count - 1, count)
    assert list(report['broken']) == [f'{other.as_posix()}/{names[0]}']
    assert len(again.index.versions) == 2 * count - 1
    assert list(again.add(other)['broken']) == [names[0]], 'tried again, and no error'
    with pytest.raises(ConfigError, match='array 0: an index holds files'):
        again.add(np.zeros((4, 8, 8, 3), np.uint8))
    clips = [Clip('clip', dict, path) for path in ('/a.mp4', '/b.mp4')]
    with pytest.raises(ConfigError, match="two clips are named 'clip'"):
        again.add(clips)


def write_clip(path: Path, seed: int, second: int = 0) -> np.ndarray:
    """A file of one skeleton; ``second`` sets its time, for a machine whose clock is coarse."""
    clip = np.random.default_rng(seed).normal(size=(1, 9, 20, 3)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, clip)
    os.utime(path, (second, second))
    return clip


@pytest.fixture
def skeletons(skeleton_model, tmp_path) -> RetrievalInferencer:
    for number, name in enumerate(('a', 'b', 'sub/c', 'sub/d')):
        write_clip(tmp_path / 'in' / f'{name}.npy', number)
    search = RetrievalInferencer(skeleton_model, tmp_path / 's.index', show_progress=False)
    counts = dict(added=4, changed=0, known=0, gone=0, broken={})
    assert search.add(tmp_path / 'in') == counts
    return search


def stored(search: RetrievalInferencer, folder: Path) -> dict[str, np.ndarray]:
    """Features by name in the folder."""
    windows, values = search.index.rows()
    names = [os.path.relpath(window.name, folder) for window in windows]
    assert len({*names}) == len(names), 'each clip once'
    return dict(zip(names, values))


def test_a_file_that_has_changed_is_embedded_again(skeletons, skeleton_model, tmp_path):
    before = stored(skeletons, tmp_path / 'in')
    clip = write_clip(tmp_path / 'in' / 'a.npy', 9, second=1)  # of the same size
    torn = tmp_path / 'in' / 'sub' / 'd.npy'
    torn.write_bytes(b'torn')
    report = skeletons.add(tmp_path / 'in')
    assert list(report.pop('broken')) == ['sub/d.npy']
    assert report == dict(added=0, changed=1, known=2, gone=0)
    again = RetrievalInferencer(skeleton_model, skeletons.index.path, show_progress=False)
    after = stored(again, tmp_path / 'in')
    assert after.keys() == {'a.npy', 'b.npy', 'sub/c.npy'}, 'no feature of a file that was torn'
    np.testing.assert_allclose(after['a.npy'], embed(skeleton_model, clip), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(after['b.npy'], before['b.npy'])
    (hits,) = again(embed(skeleton_model, clip), top=9)['hits']
    assert hits[0]['similarity'] == pytest.approx(1) and len(hits) == 3


def test_clips_that_are_gone_from_a_folder_are_found_no_more(skeletons, tmp_path):
    folder = tmp_path / 'in'
    (folder / 'a.npy').unlink()
    (folder / 'sub' / 'c.npy').rename(folder / 'sub' / 'e.npy')
    write_clip(tmp_path / 'in2' / 'x.npy', 7)  # begins with the name of the folder
    skeletons.add(tmp_path / 'in2')
    report = skeletons.add(folder / 'sub')
    assert (report['added'], report['known'], report['gone']) == (1, 1, 1)
    assert 'a.npy' in stored(skeletons, folder), 'not below the folder that was added'
    assert skeletons.add(folder / 'b.npy')['gone'] == 0, 'a file alone says nothing of others'
    assert skeletons.add(folder)['gone'] == 1
    expected = {'b.npy', 'sub/d.npy', 'sub/e.npy', '../in2/x.npy'}
    assert stored(skeletons, folder).keys() == expected
    with pytest.raises(DataError, match='no such file or folder'):
        skeletons.add(tmp_path / 'nowhere')


def test_a_folder_that_cannot_be_read_keeps_its_clips(skeletons, tmp_path, monkeypatch):
    (tmp_path / 'in' / 'away.npy').symlink_to('/disk/away.npy')
    walk = os.walk

    def closed(top, onerror):
        for root, folders, names in walk(top):
            if 'sub' in folders:
                folders.remove('sub')
                onerror(PermissionError(13, 'Permission denied', os.path.join(root, 'sub')))
            yield root, folders, names

    monkeypatch.setattr(os, 'walk', closed)
    report = skeletons.add(tmp_path / 'in')
    assert report['gone'] == 0 and list(report['broken']) == ['away.npy', 'sub']
    assert report['broken']['sub'] == 'cannot be read (Permission denied)'
    assert len(skeletons.index.versions) == 4


def test_a_file_of_many_clips_and_a_prepared_folder_are_followed_too(
    skeleton_model, skeleton_folder, tmp_path
):
    prepared = tmp_path / 'prepared'
    shutil.copytree(skeleton_folder, prepared)
    clips = np.random.default_rng(0).normal(size=(3, 6, 1, 20, 3)).astype(np.float32)
    table = tmp_path / 'many.npz'
    search = RetrievalInferencer(skeleton_model, tmp_path / 't.index', show_progress=False)
    for second, rows in enumerate(([0, 1], [1, 2])):
        arrays = dict(keypoints=np.concatenate(clips[rows]), lengths=[6, 6])
        np.savez(table, names=np.array(['a', 'b', 'c'])[rows], **arrays)
        os.utime(table, (second, second))
        os.utime(prepared / 'skeletons.npy', (second, second))  # the content is the same
        report = search.add([table, prepared])
        added, changed, known = (1, 1, 18) if second else (20, 0, 0)
        assert report == dict(added=added, changed=changed, known=known, gone=second, broken={})
        folder, name = zip(*map(os.path.split, search.index.versions))
        of_table = {n for f, n in zip(folder, name) if f == str(table)}
        assert of_table == {'abc'[row] for row in rows} and len(search.index.versions) == 20
    np.savez(table, keypoint=clips[0].transpose(1, 0, 2, 3))  # one clip in place of many
    assert search.add(table) == dict(added=1, changed=0, known=0, gone=2, broken={})
    assert len(search.index.versions) == 19
    meta = (prepared / 'meta.json').read_text()
    (prepared / 'meta.json').write_text(meta.replace(json.loads(meta)['sha256'], '0' * 64))
    assert search.add(prepared)['changed'] == 18


def test_a_killed_indexing_goes_on(video_model, labeled_world, tmp_path, monkeypatch):
    videos = sorted((labeled_world / 'videos').iterdir())
    search = RetrievalInferencer(video_model, tmp_path / 'k.index', show_progress=False)
    features, calls = video_model.features, []

    def killed(samples):
        calls.append(len(samples))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return features(samples)

    monkeypatch.setattr(video_model, 'features', killed)
    with pytest.raises(KeyboardInterrupt):
        search.add(labeled_world / 'videos', batch_size=4)
    held = len(search.index.versions)
    assert 0 < held < len(videos)
    assert search.add(labeled_world / 'videos')['known'] == held
    assert sorted(search.index.versions) == [str(video) for video in videos]


def test_an_index_knows_its_model_and_windows(search, publish, video_encoder, tmp_path):
    path = write_student(tmp_path / 'other.pth', video_encoder, seed=8)
    path = publish(path, tmp_path)
    own, other = search.encoder.sha256[:8], sha256_of_file(path)[:8]
    named = rf"mine\.index: its model is 'made \({own}\)', not 'made \({other}\)': "
    with pytest.raises(DataError, match=named):
        RetrievalInferencer(str(path), search.index.path)
    with pytest.raises(DataError, match=r'its windows is None, not \[8'):
        RetrievalInferencer(search.encoder, search.index.path, window=8)


def test_windows_are_found_with_their_place(video_model, labeled_world, tmp_path):
    video = str(next((labeled_world / 'videos').iterdir()))
    search = RetrievalInferencer(
        video_model, tmp_path / 'w.index', window=0.8, stride=0.6, show_progress=False
    )
    with pytest.raises(DataError, match='holds no clip'):
        search(video)
    search.add(video)
    cut = dict(window=0.8, stride=0.6, return_windows=True)
    rows = FeatureInferencer(video_model, show_progress=False)(video, **cut)
    (hits,) = search(rows['features'][1], top=3)['hits']
    assert hits[0]['similarity'] == pytest.approx(1)
    assert (hits[0]['start'], hits[0]['stop']) == pytest.approx((0.6, 1.4))
    assert {hit['name'] for hit in hits} == {video}


def test_an_index_has_one_layout(common_model, tmp_path):
    clip = np.random.default_rng(0).normal(size=(1, 6, 25, 3)).astype(np.float32)
    np.save(tmp_path / 'a.npy', clip)
    options = dict(layout='openpose25', show_progress=False)
    search = RetrievalInferencer(common_model, tmp_path / 'o.index', **options)
    assert search.add(tmp_path / 'a.npy')['added'] == 1
    similarity = search(embed(common_model, clip, layout='openpose25'))['hits'][0][0]['similarity']
    assert similarity == pytest.approx(1)
    with pytest.raises(DataError, match="its layout is 'openpose25', not 'ntu25'"):
        RetrievalInferencer(common_model, tmp_path / 'o.index', layout='ntu25')


def test_sentences_find_skeletons_by_the_projectors(
    publish, skeleton_encoder, skeleton_folder, tmp_path, monkeypatch
):
    words = Words()
    checkpoint = write_student(tmp_path / 'epoch.pth', skeleton_encoder, prompts=prompt_head())
    monkeypatch.setattr('mmact_ssl.models.teachers.build_teacher', lambda config: words)
    text = text_part(StudentFile.read(checkpoint), 'minilm')
    assert text[1]['text_fingerprint'] == '', 'the training told none'
    record = {'train': {'prompt': {words.fingerprint(): 'words'}}}
    torch.save({**torch.load(checkpoint), 'meta': {'target_caches': record}}, tmp_path / 'told.pth')
    text = text_part(StudentFile.read(tmp_path / 'told.pth'), 'minilm')
    model = load_model(str(publish(checkpoint, tmp_path, 'told', text)))
    assert model.student.record['text_encoder'] == 'minilm'
    search = RetrievalInferencer(model, tmp_path / 't.index', show_progress=False)
    assert search.add(skeleton_folder)['added'] == 18
    sentences = ['they carry', 'they wave and wave']
    found = search(text=sentences, top=5)
    space = SharedSpace(StudentFile.read(checkpoint))
    prompts = space.embed('prompt', words.embed(sentences).numpy())
    similarity = prompts @ space.embed('skeleton', embed(model, skeleton_folder)).T
    names = [window.name for window in search.index.rows()[0]]
    for query, hits in zip(similarity, found['hits']):
        check_hits(hits, dict(zip(names, query)), 5)
    assert found['queries'] == sentences
    monkeypatch.setattr(type(words), 'fingerprint', lambda self: 'other weights')
    search._space = None
    with pytest.raises(ConfigError, match='learned from the sentences of another encoder: publish'):
        search(text='they wave')
    with pytest.raises(ConfigError, match="learned from sentences of 'words', another teacher or"):
        text_part(StudentFile.read(tmp_path / 'told.pth'), 'minilm')
