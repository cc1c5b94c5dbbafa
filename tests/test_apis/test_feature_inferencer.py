"""Features of files and arrays: those of the evaluation, by windows, broken files left out."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from mmact_ssl.apis import load_model
from mmact_ssl.apis.feature_inferencer import FeatureInferencer, embed
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.features import extract_features

TOLERANCE = dict(rtol=1e-5, atol=1e-6)


@pytest.fixture
def inferencer(video_model):
    return FeatureInferencer(video_model, show_progress=False)


def all_frames(path) -> np.ndarray:
    with VideoReader(path) as reader:
        frames = reader.read(range(reader.total_frames))
    return np.stack([frames[index] for index in sorted(frames)])


def evaluated(cfg, model) -> tuple[list[str], np.ndarray]:
    """Names and features of the test split, as tools/evaluate.py extracts them."""
    _, test, _ = read_splits(cfg)
    return test.names, extract_features(cfg, model, 'test', test).values


def test_features_of_videos_are_those_of_the_evaluation(
    inferencer, video_model, linear_config, labeled_world
):
    names, expected = evaluated(linear_config, video_model)
    found = inferencer(labeled_world / 'videos', batch_size=5)
    assert found['names'] == sorted(path.name for path in (labeled_world / 'videos').iterdir())
    assert found['broken'] == {}
    place = {f'videos/{name}': row for row, name in enumerate(found['names'])}
    rows = found['features'][[place[name] for name in names]]
    np.testing.assert_allclose(rows, expected, **TOLERANCE)
    assert rows.std(axis=0).max() > 1e-3, 'features that are all alike would agree with anything'
    one = embed(video_model, labeled_world / names[0])
    np.testing.assert_allclose(one, expected[0], **TOLERANCE)
    several = embed(video_model, [str(labeled_world / name) for name in names[:2]])
    np.testing.assert_allclose(several, expected[:2], **TOLERANCE)


def test_frames_give_what_their_video_gives(video_model, labeled_world):
    path = next((labeled_world / 'videos').iterdir())
    frames = all_frames(path)
    np.testing.assert_allclose(embed(video_model, frames), embed(video_model, path), **TOLERANCE)
    with pytest.raises(DataError, match=r'array 0: float64 .* are not frames, uint8'):
        embed(video_model, frames / 255)


def test_features_of_skeletons_are_those_of_the_evaluation(
    skeleton_model, skeleton_config, skeleton_folder, tmp_path
):
    names, expected = evaluated(skeleton_config, skeleton_model)
    inferencer = FeatureInferencer(skeleton_model, show_progress=False)
    found = inferencer(skeleton_folder, batch_size=3)
    rows = found['features'][[found['names'].index(name) for name in names]]
    np.testing.assert_allclose(rows, expected, **TOLERANCE)
    folder = open_skeleton_folder(skeleton_folder, '')
    ends = np.cumsum(folder.lengths)[:-1]
    clips = [clip.transpose(1, 0, 2, 3) for clip in np.split(folder._coordinates, ends)]
    np.testing.assert_allclose(embed(skeleton_model, clips), found['features'], **TOLERANCE)
    np.savez(tmp_path / 'one.npz', keypoint=clips[2])
    one = embed(skeleton_model, tmp_path / 'one.npz')
    np.testing.assert_allclose(one, found['features'][2], **TOLERANCE)
    # The file that prepare_data.py custom reads: clips joined along time.
    arrays = dict(lengths=folder.lengths, names=folder.names, labels=folder.labels)
    np.savez(tmp_path / 'many.npz', keypoints=folder._coordinates, **arrays)
    many = inferencer(tmp_path / 'many.npz')
    assert many['names'][0] == f'{(tmp_path / "many.npz").as_posix()}/{folder.names[0]}'
    np.testing.assert_allclose(many['features'], found['features'], **TOLERANCE)
    arrays['names'] = np.array([*folder.names[:-1], folder.names[0]])
    np.savez(tmp_path / 'many.npz', keypoints=folder._coordinates, **arrays)
    with pytest.raises(DataError, match=rf"many\.npz: two clips are named '{folder.names[0]}'"):
        inferencer(tmp_path / 'many.npz')
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(ConfigError, match='reads skeletons'):
        embed(skeleton_model, tmp_path / 'a.mp4')
    with pytest.raises(DataError, match=r'not a skeleton of layout kinect20'):
        embed(skeleton_model, clips[0][:, :, :5])


def test_other_models_read_one_layout(skeleton_model, video_model):
    with pytest.raises(ConfigError, match="layout='coco17': .* reads the layout kinect20"):
        embed(skeleton_model, np.zeros((1, 2, 17, 2)), layout='coco17')
    with pytest.raises(ConfigError, match="layout='coco17': .* reads videos"):
        embed(video_model, np.zeros((4, 8, 8, 3), np.uint8), layout='coco17')


def test_windows_are_clips_of_their_own(inferencer, video_model, labeled_world):
    path = next((labeled_world / 'videos').iterdir())
    frames = all_frames(path)  # 20, at 10 a second
    found = inferencer(path, window=1.2, stride=0.5, return_windows=True, batch_size=2)
    assert found['starts'].tolist() == [0.0, 0.5, 0.8]
    assert found['stops'].tolist() == [1.2, 1.7, 2.0]
    parts = [frames[0:12], frames[5:17], frames[8:20]]
    np.testing.assert_allclose(found['features'], embed(video_model, parts), **TOLERANCE)
    (mean,) = inferencer(path, window=1.2, stride=0.5)['features']
    np.testing.assert_allclose(mean, found['features'].mean(axis=0), **TOLERANCE)
    whole = inferencer(path, return_windows=True)
    assert whole['stops'].tolist() == [2.0], 'a clip that is not cut has seconds too'
    with pytest.raises(ConfigError, match='array 0: has no seconds: leave window out'):
        inferencer(frames, window=1)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window=0), 'window=0: give a length above 0'),
        (dict(window=float('nan')), 'window=nan: give'),
        (dict(window=4, stride=-5), 'stride=-5: give a length above 0'),
        (dict(stride=5), 'stride=5 is between windows: give window= too'),
        (dict(batch_size=0), 'batch_size=0: give one window or more'),
        (dict(out='f.csv'), r'f\.csv: features are written as \.npz'),
    ],
)
def test_wrong_options_are_refused(inferencer, labeled_world, tmp_path, options, message):
    path = next((labeled_world / 'videos').iterdir())
    with pytest.raises(ConfigError, match=message):
        inferencer(path, **{'out': tmp_path / 'f.npz', **options})
    assert not list(tmp_path.glob('f.*'))
    if 'window' in options or 'stride' in options:
        with pytest.raises(ConfigError, match=message):
            RetrievalInferencer(inferencer.encoder, tmp_path / 'an.index', **options)
        assert not (tmp_path / 'an.index').exists()


def test_what_is_broken_is_left_out_and_named(inferencer, video_model, labeled_world, tmp_path):
    good = sorted((labeled_world / 'videos').iterdir())[:2]
    torn = tmp_path / 'torn one.mp4'
    torn.write_bytes(good[0].read_bytes()[:900])
    inputs = [str(good[0]), str(torn), 'nowhere.mp4', str(good[1])]
    found = inferencer(inputs, batch_size=4)
    assert found['names'] == [str(good[0]), str(good[1])]
    assert list(found['broken']) == [str(torn), 'nowhere.mp4']
    assert found['broken']['nowhere.mp4'] == 'there is no such file or folder'
    np.testing.assert_allclose(found['features'][1], embed(video_model, good[1]), **TOLERANCE)
    with pytest.raises(DataError, match=r'torn one\.mp4: .*; a FeatureInferencer leaves out'):
        embed(video_model, inputs[:2])
    with pytest.raises(DataError, match=r'2 of 2 clips cannot be embedded'):
        inferencer(inputs[1:3])
    with pytest.raises(DataError, match='the list of clips is empty'):
        inferencer([], out=tmp_path / 'f.npz')
    assert not (tmp_path / 'f.npz').exists()
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match=r'empty: no video clips in it'):
        inferencer(tmp_path / 'empty')
    out = tmp_path / 'f.npz'
    inferencer(inputs, out=out)
    assert (tmp_path / 'f.npz.broken.txt').read_text().splitlines()[1].startswith('nowhere.mp4: ')
    inferencer(good[0], out=out)
    assert not (tmp_path / 'f.npz.broken.txt').exists(), 'of the call before'


def test_a_path_that_leads_nowhere_is_found_before_a_network_is_built(inferencer, monkeypatch):
    monkeypatch.setattr('mmact_ssl.encoders.encoder.StudentFile', Mock(side_effect=AssertionError))
    for inputs in ('my/videos', ['my/videos']):
        with pytest.raises(DataError, match='^my/videos: there is no such file or folder$'):
            embed('csvr_r3d_demo', inputs)
    with pytest.raises(DataError, match='^my/videos: there is no such file or folder$'):
        inferencer('my/videos')


def test_a_person_that_the_network_does_not_read_changes_nothing(skeleton_model):
    """Its axes would be better, because a hip of the first person is missing at the start."""
    clip = np.random.default_rng(0).normal(size=(2, 8, 20, 3)).astype(np.float32)
    clip[0, 0, LAYOUTS['kinect20'].index('left_hip')] = 0
    skeleton_model.config.clip.insert(0, dict(type='mmact_ssl.NormalizeSkeleton'))
    both = embed(skeleton_model, clip, coordinates='xyz')
    np.testing.assert_array_equal(both, embed(skeleton_model, clip[:1]))


def test_the_home_of_a_user_is_found_wherever_a_path_is_given(
    skeleton_model, tmp_path, monkeypatch
):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'clips').mkdir()
    np.save(tmp_path / 'clips' / 'a.npy', np.random.default_rng(0).normal(size=(1, 9, 20, 3)))
    found = FeatureInferencer(skeleton_model)('~/clips', out='~/new/f.npz')
    assert found['names'] == ['a.npy'] and (tmp_path / 'new' / 'f.npz').is_file()
    search = RetrievalInferencer(skeleton_model, '~/an.index', show_progress=False)
    assert search.add('~/clips')['added'] == 1 and (tmp_path / 'an.index').is_dir()
    shutil.copy(skeleton_model.student.path, tmp_path / 'my.safetensors')
    assert load_model('~/my.safetensors').sha256 == skeleton_model.sha256


def test_a_folder_is_read_in_the_order_of_sorted_paths(skeleton_model, tmp_path):
    for name in ('b.npy', 'a/2.npy', 'a/10.npy', 'a.npy', 'a-b/1.npy', 'B.npy'):
        (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / 'in' / name, np.random.default_rng(0).normal(size=(1, 9, 20, 3)))
    found = FeatureInferencer(skeleton_model, show_progress=False)(tmp_path / 'in')
    paths = sorted((tmp_path / 'in').rglob('*.npy'))  # as docs/start/search.md writes
    assert found['names'] == [path.relative_to(tmp_path / 'in').as_posix() for path in paths]


def test_a_text_in_the_place_of_a_video_is_named_and_not_printed(inferencer, tmp_path, capfd):
    (tmp_path / 'page.mp4').write_text('all of a page')
    with pytest.raises(DataError, match=r'page\.mp4: .*Invalid data'):
        inferencer(str(tmp_path / 'page.mp4'))
    assert 'all of a page' not in ''.join(capfd.readouterr())


def test_a_name_that_no_file_can_hold_is_broken(inferencer, labeled_world, tmp_path):
    good = min((labeled_world / 'videos').iterdir()).read_bytes()
    names = [b'a.mp4', b'b\nc.mp4', b'd\xff.mp4']
    (tmp_path / 'videos').mkdir()
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path / 'videos') + b'/' + name)).write_bytes(good)
    found = inferencer(tmp_path / 'videos', out=tmp_path / 'f.npz')
    assert found['names'] == ['a.mp4']
    assert list(found['broken']) == ['b\\nc.mp4', 'd\\udcff.mp4']
    lines = (tmp_path / 'f.npz.broken.txt').read_text().splitlines()
    assert len(lines) == 2 and all(line.endswith('rename it') for line in lines)


def test_a_clip_whose_features_are_not_finite_is_broken(inferencer, labeled_world, monkeypatch):
    videos = [str(path) for path in sorted((labeled_world / 'videos').iterdir())[:3]]
    features = inferencer.encoder.features

    def spoiled(samples):
        values = features(samples)
        values[1] = np.nan
        return values

    monkeypatch.setattr(inferencer.encoder, 'features', spoiled)
    found = inferencer(videos, batch_size=3)
    assert found['names'] == [videos[0], videos[2]] and len(found['features']) == 2
    assert found['broken'] == {videos[1]: 'its features are not finite'}


@pytest.mark.parametrize('windows', [False, True])
def test_a_file_holds_what_is_returned(inferencer, labeled_world, tmp_path, windows):
    videos = [str(path) for path in sorted((labeled_world / 'videos').iterdir())[:3]]
    out = tmp_path / 'new' / 'f.npz'
    expected = inferencer(videos, window=0.8, return_windows=windows, out=out)
    stored = dict(np.load(out, allow_pickle=False))
    origin = str(stored['model']), str(stored['model_name'])
    assert origin == (inferencer.encoder.sha256, inferencer.encoder.name)
    keys = ['names', 'features', *(['starts', 'stops'] if windows else [])]
    assert set(stored) - {'model', 'model_name'} == set(keys)
    for key in keys:
        np.testing.assert_array_equal(stored[key], np.array(expected[key]))
    assert [path.name for path in out.parent.iterdir()] == [out.name], 'no part is left'


def test_memory_does_not_grow_with_the_clips(skeleton_model, tmp_path, monkeypatch):
    clip = np.zeros((1, 500, 20, 3), np.float32)
    clip[..., 1] = 1
    folder = tmp_path / 'arrays'
    folder.mkdir()
    for number in range(60):
        np.save(folder / f'{number:02d}.npy', clip)
    inferencer = FeatureInferencer(skeleton_model, show_progress=False, coordinates='xyz')
    monkeypatch.setattr(
        inferencer.encoder, 'features', lambda samples: torch.zeros(len(samples), 16)
    )
    tracemalloc.start()
    count = sum(1 for _ in inferencer.stream(folder, batch_size=4))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60
    assert peak < 25 * clip.nbytes, 'all 60 clips would be held at once'
