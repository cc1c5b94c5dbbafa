"""Searching one's own clips: by clip, feature and sentence."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from mmact_ssl.apis import load_model
from mmact_ssl.apis.clips import Clip
from mmact_ssl.apis.feature_inferencer import embed
from mmact_ssl.apis.publish import text_part
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.shared_space import SharedSpace, check_encoder
from mmact_ssl.saved_run import SavedRun
from tests.helpers.students import prompt_head, write_student


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
    with pytest.raises(DataError, match='not finite'):
        search(features[:2] * [[1], [np.nan]])
    for query in (dict(), dict(inputs=features[:2], text='a wave')):
        with pytest.raises(ConfigError, match='search by clips, by features or by text='):
            search(**query)
    with pytest.raises(ConfigError, match='one hit or more'):
        search(features[0], top=0)
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
    assert search.add(labeled_world / 'videos') == dict(added=0, known=count, broken={})
    # The same names in another folder are other clips.
    again = RetrievalInferencer(video_model, search.index.path, show_progress=False)
    report = again.add([labeled_world / 'videos', other, other / names[1]])
    assert (report['added'], report['known']) == (count - 1, count)
    assert list(report['broken']) == [f'{other.as_posix()}/{names[0]}']
    assert len(again.index) == 2 * count - 1
    assert list(again.add(other)['broken']) == [names[0]], 'tried again, and no error'
    with pytest.raises(ConfigError, match='array 0: an index holds files'):
        again.add(np.zeros((4, 8, 8, 3), np.uint8))
    clips = [Clip('clip', dict, path) for path in ('/a.mp4', '/b.mp4')]
    with pytest.raises(ConfigError, match="two clips are named 'clip'"):
        again.add(clips)


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
    held = len(search.index)
    assert 0 < held < len(videos)
    assert search.add(labeled_world / 'videos')['known'] == held
    assert sorted(w.name for w in search.index.windows()) == [str(video) for video in videos]


def test_a_folder_that_two_add_is_held_once(video_model, labeled_world, tmp_path, monkeypatch):
    videos = sorted(str(video) for video in (labeled_world / 'videos').iterdir())
    first, second = (
        RetrievalInferencer(video_model, tmp_path / 'two.index', show_progress=False)
        for _ in range(2)
    )
    features, reports = video_model.features, []

    def meanwhile(samples):
        monkeypatch.setattr(video_model, 'features', features)
        reports.append(second.add(videos[:3]))
        return features(samples)

    monkeypatch.setattr(video_model, 'features', meanwhile)
    reports.append(first.add(labeled_world / 'videos'))
    left = len(videos) - 3
    assert [(report['added'], report['known']) for report in reports] == [(3, 0), (left, 3)]
    assert sorted(window.name for window in first.index.windows()) == videos


def test_an_index_knows_its_model_and_windows(search, publish, linear_config, tmp_path):
    path = write_student(tmp_path / 'other.pth', linear_config, seed=8)
    path = publish(linear_config, path, tmp_path)
    with pytest.raises(DataError, match=r'mine\.index: its model is .*; give another folder'):
        RetrievalInferencer(str(path), search.index.path)
    with pytest.raises(DataError, match=r'its windows is None, now \[8'):
        RetrievalInferencer(search.pretrained, search.index.path, window=8, unit='frames')
    head = search.index.path / 'index.json'
    head.write_text(json.dumps({**json.loads(head.read_text()), 'reader': 'decord'}))
    with pytest.raises(DataError, match='its reader is decord, now VideoReader'):
        RetrievalInferencer(search.pretrained, search.index.path)


def test_windows_are_found_with_their_place(video_model, labeled_world, tmp_path):
    video = str(next((labeled_world / 'videos').iterdir()))
    search = RetrievalInferencer(
        video_model, tmp_path / 'w.index', window=0.8, stride=0.6, show_progress=False
    )
    with pytest.raises(DataError, match='holds no clip'):
        search(video)
    search.add(video)
    cut = dict(window=0.8, stride=0.6, return_windows=True)
    from mmact_ssl.apis.feature_inferencer import FeatureInferencer

    rows = FeatureInferencer(video_model, show_progress=False)(video, **cut)
    (hits,) = search(rows['features'][1], top=3)['hits']
    assert hits[0]['similarity'] == pytest.approx(1)
    assert (hits[0]['start'], hits[0]['stop']) == pytest.approx((0.6, 1.4))
    assert {hit['name'] for hit in hits} == {video}


def test_one_cut_is_one_index(video_model, tmp_path):
    for options in (dict(window=10), dict(window=10.0, stride=10)):
        RetrievalInferencer(video_model, tmp_path / 'w.index', unit='frames', **options)
    with pytest.raises(DataError, match=r"is \[10\.0, 10\.0, 'frames'\], now \[10\.0, 5"):
        RetrievalInferencer(video_model, tmp_path / 'w.index', window=10, stride=5, unit='frames')


@pytest.fixture
def by_text(publish, skeleton_config, skeleton_folder, tmp_path, monkeypatch):
    """A model with the pre-training that it comes from, and a text encoder of three words."""
    checkpoint = write_student(tmp_path / 'epoch.pth', skeleton_config, prompts=prompt_head())

    class Words:
        kind = 'text'
        source = 'Words'

        def embed(self, sentences):
            words = ('carry', 'sit', 'wave')
            return torch.tensor([[s.count(w) + 0.1 for w in words] * 2 for s in sentences])

        def fingerprint(self):
            return 'words'

    monkeypatch.setattr('mmact_ssl.models.teachers.build_teacher', lambda config: Words())
    model = load_model(str(publish(skeleton_config, checkpoint, tmp_path)))
    return model, str(checkpoint), Words()


def test_sentences_find_skeletons_by_the_projectors(by_text, skeleton_folder, tmp_path):
    model, checkpoint, encoder = by_text
    search = RetrievalInferencer(
        model,
        tmp_path / 't.index',
        checkpoint=checkpoint,
        text_encoder='words.py',
        show_progress=False,
    )
    assert search.add(skeleton_folder)['added'] == 18
    sentences = ['they carry', 'they wave and wave']
    found = search(text=sentences, top=5)
    space = SharedSpace(SavedRun.read(checkpoint))
    prompts = space.embed('prompt', encoder.embed(sentences).numpy())
    similarity = prompts @ space.embed('skeleton', embed(model, skeleton_folder)).T
    names = [window.name for window in search.index.windows()]
    assert names[0] == f'{skeleton_folder.as_posix()}/a00_v1_0'
    for query, hits in zip(similarity, found['hits']):
        check_hits(hits, dict(zip(names, query)), 5)
    assert found['queries'] == sentences


def test_a_backbone_alone_says_that_it_reads_no_sentences(by_text, skeleton_folder, tmp_path):
    model, checkpoint, _ = by_text
    search = RetrievalInferencer(model, tmp_path / 't.index', show_progress=False)
    search.add(skeleton_folder)
    with pytest.raises(ConfigError, match=r'is a backbone alone and reads no sentences: give chec'):
        search(text='somebody waves')
    state = torch.load(checkpoint)
    torch.save({**state, 'epoch': 9}, tmp_path / 'later.pth')
    search.checkpoint, search.text_encoder = str(tmp_path / 'later.pth'), 'words.py'
    with pytest.raises(CheckpointError, match=r'later\.pth: .* was published from another file'):
        search(text='somebody waves')


def test_a_file_with_its_projectors_is_searched_by_sentences_alone(
    by_text, publish, skeleton_config, skeleton_folder, tmp_path, monkeypatch
):
    bare, checkpoint, encoder = by_text
    assert text_part(SavedRun.read(checkpoint), 'minilm')[1]['text_fingerprint'] == '', (
        'the training told none'
    )
    record = {'train': {'prompt': {encoder.fingerprint(): 'words'}}}
    told = {**torch.load(checkpoint), 'meta': {'target_caches': record}}
    torch.save(told, tmp_path / 'told.pth')
    text = text_part(SavedRun.read(tmp_path / 'told.pth'), 'minilm')
    model = load_model(str(publish(skeleton_config, checkpoint, tmp_path, 'told', text)))
    assert model.card.text_encoder == 'minilm'
    features = [embed(one, skeleton_folder) for one in (model, bare)]
    np.testing.assert_array_equal(*features)
    searches = [
        RetrievalInferencer(bare, tmp_path / 'a', checkpoint=checkpoint, text_encoder='words.py'),
        RetrievalInferencer(model, tmp_path / 'b'),
    ]
    for search in searches:
        search.add(skeleton_folder)
    of_checkpoint, of_file = (search(text='they wave', top=5)['hits'] for search in searches)
    assert of_file == of_checkpoint
    monkeypatch.setattr(type(encoder), 'fingerprint', lambda self: 'other weights')
    searches[1]._space = None
    with pytest.raises(ConfigError, match='learned from the sentences of another encoder: give'):
        searches[1](text='they wave')
    with pytest.raises(ConfigError, match='learned from sentences of words, another teacher or'):
        check_encoder(SavedRun.read(tmp_path / 'told.pth'), encoder.fingerprint(), encoder.source)


def test_a_backbone_alone_is_searched_by_the_encoder_of_its_training(
    by_text, publish, skeleton_config, skeleton_folder, tmp_path
):
    _, checkpoint, _ = by_text
    record = {'train': {'prompt': {'others': 'other words'}}}
    told = str(tmp_path / 'told.pth')
    torch.save({**torch.load(checkpoint), 'meta': {'target_caches': record}}, told)
    bare = load_model(str(publish(skeleton_config, told, tmp_path, 'bare')))
    search = RetrievalInferencer(bare, tmp_path / 'a', checkpoint=told, text_encoder='words.py')
    search.add(skeleton_folder)
    with pytest.raises(ConfigError, match='learned from sentences of other words, another teacher'):
        search(text='they wave')


def test_the_encoder_of_a_file_is_that_of_its_training(by_text, tmp_path):
    _, checkpoint, _ = by_text
    state = torch.load(checkpoint)
    record = {'train': {'prompt': {'f00': 'SentenceTeacher(other)'}}}
    torch.save({**state, 'meta': {'target_caches': record}}, tmp_path / 'told.pth')
    with pytest.raises(
        ConfigError, match=r'learned from sentences of SentenceTeacher\(other\), an'
    ):
        text_part(SavedRun.read(tmp_path / 'told.pth'), 'minilm')
    with pytest.raises(ConfigError, match='no_such: no such config in '):
        text_part(SavedRun.read(checkpoint), 'no_such')
    torch.save(dict(state_dict={'backbone.a': torch.ones(2)}), tmp_path / 'bare.pth')
    with pytest.raises(CheckpointError, match='holds 0 heads that match sentences'):
        text_part(SavedRun.read(tmp_path / 'bare.pth'), 'minilm')


def test_projectors_that_are_none_are_an_error_of_the_file(tmp_path):
    torch.save(dict(state_dict={'heads.x.prompt_projector.a': torch.ones(2)}), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'x\.pth: .*publish it again'):
        SharedSpace(SavedRun.read(tmp_path / 'x.pth'))
