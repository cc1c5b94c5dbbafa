"""The cache gives for a view, but for rounding, what the teacher makes of the view's frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from mmact_ssl.datasets.transforms.formatting import PackInputs
from mmact_ssl.datasets.transforms.views import DecodeViews, SampleViews
from mmact_ssl.models.data_preprocessor import PretextDataPreprocessor
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.targets import LoadTargets
from mmact_ssl.targets.extraction import ExtractionJob, extract_many

NUM_FRAMES, STRIDE = 4, 3


class NetworkTeacher(BaseTeacher):
    """A small random network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__({}, {})
        self.network = (network.eval(),)

    def forward(self, frames):
        with torch.no_grad():
            return self.network[0](frames.float() / 255 - 0.5)


class PoseTeacher(NetworkTeacher):
    layout = 'coco17'

    def __init__(self):
        layers = [nn.Conv2d(3, 8, 3, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 51)]
        super().__init__(nn.Sequential(*layers, nn.Sigmoid(), nn.Unflatten(1, (17, 3))))


class EmbeddingTeacher(NetworkTeacher):
    kind = 'embedding'

    def __init__(self):
        layers = [nn.Conv2d(3, 16, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(nn.Sequential(*layers, nn.Linear(16, 33)))


class MapTeacher(NetworkTeacher):
    kind, layout = 'map', 'demo_parts'

    def __init__(self):
        super().__init__(nn.Sequential(nn.Conv2d(3, 10, 5, 4), nn.Softmax(1)))


class ClipTeacher(NetworkTeacher):
    kind, window = 'embedding', (NUM_FRAMES, STRIDE)

    def __init__(self):
        super().__init__(nn.Sequential(nn.Conv3d(3, 7, 3, 2), nn.Flatten(2)))

    def forward(self, clips):
        return super().forward(clips.transpose(1, 2)).mean(2)  # the network reads (N, 3, T, H, W)


TEACHERS = {
    'pose': PoseTeacher,
    'imagenet': EmbeddingTeacher,
    'parts': MapTeacher,
    'action': ClipTeacher,
}


@pytest.fixture(scope='module')
def cached(tmp_path_factory, make_video):
    """Videos of 40, 20 and 7 frames (too short for both views) and all teachers' caches."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp('equal')
    names = []
    for i, frames in enumerate((40, 20, 7)):
        make_video(root / f'{i}.mp4', num_frames=frames, width=66, height=50)
        names.append(f'{i}.mp4')
    teachers = {name: teacher() for name, teacher in TEACHERS.items()}
    jobs = [ExtractionJob(teacher, root / f'{name}.lmdb') for name, teacher in teachers.items()]
    extract_many(jobs, root, names)
    return root, names, teachers


@pytest.mark.parametrize('seed', range(3))
def test_cached_equals_online(cached, seed):
    root, names, teachers = cached
    views = ('clip', 'future')
    frames = dict(num_frames=NUM_FRAMES, stride=STRIDE)
    pipeline = [
        SampleViews(clip=frames, future=frames),
        *(
            LoadTargets(name, f'{root}/{name}.lmdb', views=views).bind('', str(root))
            for name in teachers
        ),
        DecodeViews(short_side=None),
        PackInputs(views=views),
    ]
    np.random.seed(seed)
    samples = []
    for name in names:
        sample = {'filename': str(root / name)}
        for transform in pipeline:
            sample = transform(sample)
        samples.append(sample)
    names = [f'{view}.{name}' for view in views for name in teachers]
    preprocessor = PretextDataPreprocessor([123.7, 116.3, 103.5], [58.4, 57.1, 57.4], views, names)
    batch = preprocessor(pseudo_collate(samples))
    for view in views:
        # (B, T, 3, H, W)
        clips = preprocessor.denormalize(batch['inputs'][view]).transpose(1, 2)
        for name, teacher in teachers.items():
            if teacher.window is None:
                online = teacher(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
            else:
                online = teacher(clips)[:, None]  # (B, 1, D)
            found = batch['targets'][view][name]
            torch.testing.assert_close(found, online, rtol=1e-5, atol=1e-6)
            assert online.std() > 1e-3  # not all the same
