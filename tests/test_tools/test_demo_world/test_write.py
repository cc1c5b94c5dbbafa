"""The world on disk: the same bytes for the same seed, and one geometry in every file."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from multiprocessing.process import BaseProcess

import cv2
import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import DataError
from tests.helpers.videos import read_poses
from tools.demo_world.actions import CLASSES
from tools.demo_world.write import write_demo_world


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp('world') / 'demo'
    assert write_demo_world(out, seed=0, size='tiny', workers=1) == {'train': 24, 'test': 12}
    return out


def digests(out):
    """Contents of every file; npz by array, as a zip file holds the time of day."""
    found = {}
    for path in sorted(p for p in out.rglob('*') if p.is_file()):
        if path.suffix == '.npz':
            with np.load(path, allow_pickle=False) as table:
                data = b''.join(table[key].tobytes() for key in table.files)
        else:
            data = path.read_bytes()
        found[str(path.relative_to(out))] = hashlib.sha256(data).hexdigest()
    return found


def test_kept_when_whole_and_made_anew_when_interrupted(world, tmp_path, monkeypatch):
    out = tmp_path / 'demo'
    shutil.copytree(world, out)
    video = next((out / 'videos').iterdir())
    stamp = video.stat().st_mtime_ns
    write_demo_world(out, size='tiny', workers=1)
    assert video.stat().st_mtime_ns == stamp
    marker = out / 'world.json'
    marker.write_text(json.dumps({**json.loads(marker.read_text()), 'complete': False}))
    killed = []  # a worker may survive the signal that a pool ends it by, and is waited for
    monkeypatch.setattr(BaseProcess, 'terminate', lambda w: killed.append(w) or w.kill())
    write_demo_world(out, size='tiny', workers=2)
    assert not killed
    assert video.stat().st_mtime_ns > stamp
    assert digests(out) == digests(world)  # on any number of workers


@pytest.mark.parametrize('world', [None, '{}', 'a map'])
def test_other_data_is_not_overwritten(tmp_path, world):
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'mine.mp4').write_bytes(b'precious')
    if world is not None:  # of another program
        (tmp_path / 'world.json').write_text(world)
    with pytest.raises(DataError, match='give another --out|contains other data than a demo world'):
        write_demo_world(tmp_path, size='tiny')
    assert (tmp_path / 'videos' / 'mine.mp4').read_bytes() == b'precious'


def test_splits_share_no_subject_and_no_camera(world):
    with np.load(world / 'skeletons.npz', allow_pickle=False) as table:
        train = np.isin(table['names'], table['train_names'])
        assert (train == ~np.isin(table['names'], table['test_names'])).all()
        for key in ('subjects', 'cameras'):
            assert not set(table[key][train]) & set(table[key][~train])
        assert sorted(np.bincount(table['labels'][train])) == [2] * len(CLASSES)
        for split in ('train', 'test'):
            listed = {line.split()[0] for line in (world / f'{split}.txt').read_text().splitlines()}
            assert listed == set(table[f'{split}_names'].tolist())
            assert all((world / name).is_file() for name in listed)


def test_skeletons_project_onto_poses_by_a_slow_twin(world):
    layout, poses = read_poses(world / 'poses.npz')
    assert layout == 'coco17'
    ntu, coco = LAYOUTS['ntu25'], LAYOUTS['coco17']
    with np.load(world / 'skeletons.npz', allow_pickle=False) as table:
        names, focal = table['names'], table['focal']
        skeletons = table['keypoints'].reshape(len(names), 48, 25, 3)
        shift = table['shift'].reshape(len(names), 48, 2)
    for clip in (0, 7, 30):
        for t in (0, 11, 47):
            for joint in coco.names[5:]:
                x, y, z = skeletons[clip, t, ntu.names.index(joint)]
                u = 0.5 + shift[clip, t, 0] + focal[clip] * x / z
                v = 0.5 + shift[clip, t, 1] - focal[clip] * y / z
                pose = poses[str(names[clip])][t, coco.names.index(joint)]
                np.testing.assert_allclose(pose[:2], [u, v], atol=1e-5)


def test_part_maps_fit_video_and_poses(world):
    _, poses = read_poses(world / 'poses.npz')
    for name, pose in list(poses.items())[:6]:
        strip = cv2.imread(str(world / 'parts' / (name[len('videos/') : -4] + '.png')), -1)
        parts = strip.reshape(-1, 112, 112)
        assert parts.shape == (48, 112, 112)
        frame, joint = np.nonzero(pose[..., 2] == 1)
        column, row = (pose[frame, joint, :2] * 112).astype(int).T
        assert (parts[frame, row, column] > 0).mean() > 0.9
        assert ((parts > 0).reshape(48, -1).sum(1) > 300).all()


def test_sentences_describe_without_naming(world):
    sentences = json.loads((world / 'sentences.json').read_text())
    with np.load(world / 'skeletons.npz', allow_pickle=False) as table:
        assert set(sentences) == set(table['names'].tolist())
    named = re.compile(
        r'\b(wav|clap|drink|phone|sit|sat|stand up|stands up|walk|kick|punch|'
        r'jumping jack|bows?\b|throw)'
    )
    for name, lines in sentences.items():
        assert len(lines) == len(set(lines)) == 6
        assert not [line for line in lines if named.search(line.lower())], name


def test_teacher_lists_are_coco_and_of_training_people_only(world):
    from xtcocotools.coco import COCO

    with np.load(world / 'skeletons.npz', allow_pickle=False) as table:
        train = {name[len('videos/') : -4] for name in table['train_names'].tolist()}
        subjects = dict(zip(table['names'].tolist(), table['subjects'].tolist()))
    people = {}
    for part in ('train', 'val'):
        coco = COCO(str(world / f'pose_{part}.json'))
        assert len(coco.getImgIds()) == len(coco.getAnnIds()) == 60
        assert coco.loadCats(1)[0]['keypoints'] == list(LAYOUTS['coco17'].names)
        people[part] = set()
        for entry in coco.loadAnns(coco.getAnnIds()):
            file_name = coco.loadImgs(entry['image_id'])[0]['file_name']
            stem = file_name.split('/')[1][: -len('_00.jpg')]
            assert stem in train
            people[part].add(subjects[f'videos/{stem}.mp4'])
            image = cv2.imread(str(world / 'pose_frames' / file_name))
            parts = cv2.imread(str(world / 'part_frames' / file_name.replace('.jpg', '.png')), -1)
            assert image.shape == (112, 112, 3) and parts.shape == (112, 112)
            x, y, width, height = entry['bbox']
            assert (parts[y : y + height, x : x + width] > 0).sum() == entry['area'] > 0
    assert not people['train'] & people['val']
