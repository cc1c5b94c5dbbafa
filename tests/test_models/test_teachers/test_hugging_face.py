"""Teachers of transformers: the features of the encoder, known by hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.io.hf_folder import read_model
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from tests.helpers.hf_networks import KINDS, save_network
from tests.helpers.videos import write_video

FRAMES = 40


def read_clip(path: Path, first: int, count: int, stride: int) -> np.ndarray:
    with VideoReader(path) as reader:
        inds = np.minimum(first + stride * np.arange(count), reader.total_frames - 1)
        decoded = reader.read(inds)
        return np.stack([decoded[int(index)] for index in inds])


@pytest.mark.parametrize('kind', KINDS)
def test_a_target_is_the_feature_of_the_same_frames(kind: str, tmp_path: Path):
    folder = save_network(tmp_path / 'network', kind)
    teacher = build_teacher(dict(type='TransformersTeacher', model=folder, stride=2, batch_size=3))
    is_video = bool(read_model(folder).family.frames)
    assert teacher.window == ((16, 2) if is_video else None)
    assert teacher.source == 'TransformersTeacher(network)'
    path = write_video(tmp_path / 'a.mp4', FRAMES, 76, 54)
    cache = tmp_path / 'a.lmdb'
    extract_many([ExtractionJob(teacher, cache, every=8)], tmp_path, ['a.mp4'])
    found = TargetReader(cache).get('a.mp4', [0, 39])
    encoder = f'hf-video,model={folder},stride=1' + ('' if is_video else ',frames=1')
    inferencer = FeatureInferencer(encoder, device='cpu')
    for value, first in zip(found, (0, 39)):  # the last clip repeats the last frame
        frames = read_clip(path, first, 16 if is_video else 1, 2)
        expected = inferencer(frames)['features'][0]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_the_fingerprint_follows_every_file_and_the_clip(tmp_path: Path):
    folder = save_network(tmp_path / 'network', 'vjepa2')
    config = dict(type='TransformersTeacher', model=folder)
    found = [build_teacher(config | more).fingerprint() for more in ({}, {'stride': 2})]
    found.append(build_teacher(config | {'frames': 8}).fingerprint())
    file = Path(folder, 'video_preprocessor_config.json')
    file.write_text(file.read_text() + '\n')
    found.append(build_teacher(config).fingerprint())
    assert len({*found}) == 4


@pytest.mark.parametrize('name', ['vjepa2-vitl', 'videomae-base', 'dinov2-small'])
def test_a_shipped_teacher_takes_a_folder_beside_the_data(name, tmp_path, monkeypatch):
    settings = dict(Config.fromfile(f'configs/teachers/{name}.py').teacher)
    kind = name.partition('-')[0]
    place = tmp_path / 'teachers' / Path(settings['model']).name
    save_network(place, kind, frames=64 if kind == 'vjepa2' else 16)
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    teacher = build_teacher(f'mmact_ssl::teachers/{name}.py')
    assert teacher.window == (None if kind == 'dinov2' else (16, 4))
    clip = () if kind == 'dinov2' else (16,)
    targets = teacher(torch.randint(0, 256, (2, *clip, 3, 40, 50), dtype=torch.uint8))
    assert targets.shape[0] == 2 and targets.isfinite().all()
