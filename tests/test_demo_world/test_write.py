"""The world on disk: the same bytes for the same seed, and one geometry in every file."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import av
import cv2
import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.demo_world.actions import CLASSES
from mmact_ssl.demo_world.scene import NUM_SUBJECTS, draw_scene
from mmact_ssl.demo_world.write import (
    CLIPS_PER_CLASS,
    coco_annotation,
    write_demo_world,
    write_video,
)
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.poses import read_poses


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


def test_kept_when_whole_and_made_anew_with_the_same_bytes_when_interrupted(world, tmp_path):
    out = tmp_path / 'demo'
    shutil.copytree(world, out)
    video = next((out / 'videos').iterdir())
    stamp = video.stat().st_mtime_ns
    write_demo_world(out, size='tiny', workers=1)
    assert video.stat().st_mtime_ns == stamp
    marker = out / 'world.json'
    marker.write_text(json.dumps({**json.loads(marker.read_text()), 'complete': False}))
    write_demo_world(out, size='tiny', workers=2)
    assert video.stat().st_mtime_ns > stamp
    assert digests(out) == digests(world)  # on any number of workers


def test_encoding_the_same_frames_gives_the_same_bytes(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames])
    contents = set()
    for run in range(8):
        write_video(tmp_path / f'{run}.mp4', frames)
        contents.add((tmp_path / f'{run}.mp4').read_bytes())
    assert len(contents) == 1


def test_other_data_is_not_overwritten(tmp_path):
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'mine.mp4').write_bytes(b'precious')
    with pytest.raises(DataError, match='holds other data than a demo world'):
        write_demo_world(tmp_path, size='tiny', workers=1)
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


def test_whole_plan_balances_subjects_and_cameras_and_depends_on_the_seed():
    """Of the default size: every class meets every camera, every subject acts every class."""
    for split, count in CLIPS_PER_CLASS['default'].items():
        scenes = [draw_scene(0, split, 12 * turn) for turn in range(count)]
        assert len({scene.camera_number for scene in scenes}) == {'train': 6, 'test': 3}[split]
        assert len({scene.subject.number for scene in scenes}) == NUM_SUBJECTS[split]
        assert (scenes[0].joints != draw_scene(1, split, 0).joints).all()


def test_videos_have_a_key_frame_every_twelve_frames(world):
    for path in sorted((world / 'videos').iterdir())[:6]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ('h264', 112, 112)
            assert stream.average_rate == 25
            packets = [p for p in container.demux(stream) if p.size]
            keys = sorted(round(float(p.pts * p.time_base) * 25) for p in packets if p.is_keyframe)
            assert len(packets) == 48 and keys == [0, 12, 24, 36]
            assert any(p.pts != p.dts for p in packets)  # B-frames, as real files have


def test_skeletons_project_onto_poses_by_a_slow_twin(world):
    layout, poses = read_poses(world / 'poses.npz')
    poses = dict(poses)
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
    for name, pose in list(poses)[:6]:
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


def test_coco_annotation_of_a_made_frame():
    parts = np.zeros((10, 20), np.uint8)
    parts[2:5, 4:10] = 5
    pose = np.zeros((17, 3), np.float32)
    pose[0] = 0.25, 0.3, 1.0
    pose[1] = 0.4, 0.2, 0.5
    pose[2] = 1.5, 0.2, 0.0
    entry = coco_annotation(pose, parts)
    assert entry['keypoints'][:9] == [4.5, 2.5, 2, 7.5, 1.5, 1, 0.0, 0.0, 0]
    assert entry['num_keypoints'] == 2
    assert entry['bbox'] == [4, 2, 6, 3] and entry['area'] == 18
