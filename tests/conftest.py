"""Fixtures of several packages: videos, a small labeled world, results."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.visualization import Visualizer

from mmact_ssl.apis.publish import backbone_weights, card_of, write_model
from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.evaluation.results import Result
from mmact_ssl.preparation.skeletons import SkeletonWriter
from tests.helpers.runners import make_runner  # noqa: F401  (a fixture)
from tests.helpers.students import (  # noqa: F401
    common_model,
    skeleton_model,
    video_model,
    write_student,
)
from tests.helpers.upstream import spare_upstream
from tests.helpers.videos import write_video

spare_upstream()

# Threads that a test has started would leave processes that a later one forks waiting for ever.
torch.set_num_threads(1)
# A forked process ends with its worker: it would hold the pipe that tells xdist of the end.
os.register_at_fork(after_in_child=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))

settings.register_profile('any time', deadline=None)
settings.load_profile('any time')

ROOT = Path(__file__).parents[1]
NUM_CLASSES = 3  # of the labeled world
TRAIN_PER_CLASS, TEST_PER_CLASS = 4, 2


@pytest.fixture(scope='module', autouse=True)
def freeze_imports() -> None:
    """Spare what is imported the collections of garbage.

    mmengine collects for every data set, which takes half a second among all of OpenMMLab.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session')
def make_video() -> Callable[..., Path]:
    """Writes a small video, see ``write_video``."""
    return write_video


@pytest.fixture(scope='session', autouse=True)
def exact_convolutions() -> None:
    """Switch off what makes a GPU less exact than a CPU.

    TF32 has three digits, and cuDNN's fastest gradients differ in the last bits from run to run.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have mmengine take the CPU: the gradients of max pooling on a GPU are never the same bits."""
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'cpu')


@pytest.fixture
def small_teacher_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the teachers of timm see images of 32x32, whatever their configs say."""
    from mmact_ssl.models.teachers import timm

    read = timm._read_input
    monkeypatch.setattr(timm, '_read_input', lambda *args: read(args[0], 32, *args[2:]))


@pytest.fixture
def forked() -> None:
    """Of tests whose forked processes train, each on a GPU of its own where there are GPUs."""
    if torch.cuda.is_available():
        pytest.skip('forked processes cannot use the GPU that this one has used')


@pytest.fixture(autouse=True)
def no_globals():
    """Forget the scope, the visualizer and the logger that a runner of an earlier test has left.

    One visualizer serves all runs of a name and second: a later one would draw into its folder. The
    logger has the level of its run, and a closed screen.
    """
    DefaultScope._instance_dict.clear()
    Visualizer._instance_dict.clear()
    MMLogger._instance_dict.clear()


def write_labeled_video(path: Path, label: int, number: int, frames: int = 20) -> None:
    """Write a bright square whose color tells the class; its place is random."""
    generator = np.random.default_rng([label, number])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (80, 64))
    y, x = generator.integers(0, 32, size=2)
    for step in range(frames):
        frame = np.full((64, 80, 3), 30, dtype=np.uint8)
        frame[y : y + 24, (x + step) % 56 : (x + step) % 56 + 24, label] = 250
        writer.write(frame)
    writer.release()


@pytest.fixture(scope='session')
def labeled_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``videos``, ``train.txt`` (4 a class) and ``test.txt`` (2 a class)."""
    root = tmp_path_factory.mktemp('labeled')
    (root / 'videos').mkdir()
    lines: dict[str, list[str]] = {'train': [], 'test': []}
    for label in range(NUM_CLASSES):
        for number in range(TRAIN_PER_CLASS + TEST_PER_CLASS):
            name = f'videos/class{label}_s{number % 2}_{number}.mp4'
            write_labeled_video(root / name, label, number)
            split = 'train' if number < TRAIN_PER_CLASS else 'test'
            lines[split].append(f'{name} {label}\n')
    for split, content in lines.items():
        (root / f'{split}.txt').write_text(''.join(content))
    return root


@pytest.fixture(scope='session')
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos and skeletons that the methods of ``five_methods.py`` read."""
    from tests.five_methods import make_data

    root = tmp_path_factory.mktemp('methods')
    make_data(root)
    return root


@pytest.fixture
def data_of_methods(made_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These data, where configs of this package find them."""
    monkeypatch.setenv('MMACT_SSL_DATA', str(made_data))
    init_default_scope('mmact_ssl')


@pytest.fixture
def video_encoder() -> EncoderConfig:
    """The small student of videos."""
    return read_encoder('r3d18-small')


def small_config(encoder: EncoderConfig, root: Path) -> Config:
    """Evaluation of an encoder on the made world, in small batches."""
    cfg, _ = read_evaluation(encoder, data=str(root))
    cfg.dataset_name, cfg.synthetic = 'made', True
    for split in ('train', 'test'):
        cfg[f'{split}_dataloader'].batch_size = 4
    return cfg


@pytest.fixture
def linear_config(video_encoder: EncoderConfig, labeled_world: Path) -> Config:
    cfg = small_config(video_encoder, labeled_world)
    cfg.linear.update(penalties=(0.1,), folds=2)
    return cfg


@pytest.fixture
def finetune_config(video_encoder: EncoderConfig, labeled_world: Path) -> Config:
    cfg = small_config(video_encoder, labeled_world)
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.5, begin=0, end=1)]
    cfg.finetune.min_iters_per_epoch = 2
    return cfg


@pytest.fixture
def student_checkpoint(video_encoder: EncoderConfig, tmp_path: Path) -> Path:
    """A file as a pre-trainer leaves it: the student under ``backbone.`` and a pretext head."""
    head = torch.nn.Linear(3, 1)
    return write_student(tmp_path / 'student.pth', video_encoder, seed=7, pose=head)


@pytest.fixture
def skeleton_folder(tmp_path: Path) -> Path:
    """A prepared folder: 3 actions told apart by the axis of motion, 4 clips each for training
    (views 1 and 2) and 2 for testing (view 3), of 5 to 12 frames.
    """
    root = tmp_path / 'skeletons'
    generator = np.random.default_rng(0)
    splits: dict[str, list[str]] = {'xview_train': [], 'xview_test': []}
    with SkeletonWriter(root, 'made', 'kinect20', ['carry', 'sit down', 'wave'], 1) as writer:
        for label in range(NUM_CLASSES):
            for view, number in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]:
                clip = generator.normal(size=(int(generator.integers(5, 13)), 1, 20, 3))
                clip[..., label] += 3 * np.sin(np.arange(len(clip)))[:, None, None]
                name = f'a{label:02d}_v{view}_{number}'
                writer.add(name, label, clip.transpose(1, 0, 2, 3))
                splits['xview_test' if view == 3 else 'xview_train'].append(name)
        writer.finish(splits)
    return root


@pytest.fixture
def skeleton_encoder() -> EncoderConfig:
    """A GRU for these skeletons."""
    return read_encoder('gru', dict(layout='kinect20', longest=16))


@pytest.fixture
def skeleton_config(skeleton_encoder: EncoderConfig, skeleton_folder: Path) -> Config:
    """Evaluation of that GRU on these skeletons, with a short training schedule."""
    cfg = small_config(skeleton_encoder, skeleton_folder)
    cfg.linear.update(penalties=(0.1,), folds=2)
    cfg.knn.update(k=(3,), main_k=3)
    cfg.train_cfg.max_iters, cfg.finetune.min_iters_per_epoch = 4, 0
    return cfg


@pytest.fixture(scope='session')
def publish() -> Callable[..., Path]:
    """Publishes the student of a checkpoint; gives the path of the file."""

    def write(checkpoint: Path, folder: Path, name: str = 'made', text=None, **options) -> Path:
        projectors, told = text or ({}, {})  # of text_part
        encoder = Encoder.load(checkpoint)
        card = replace(card_of(encoder, name), **told)
        weights = {**backbone_weights(encoder.student), **projectors}
        return write_model(weights, folder / name, card, **options)

    return write


@pytest.fixture(scope='session')
def make_result() -> Callable[..., Any]:
    """Makes a result of CSVR's linear probe on the demo world, apart from what is given."""

    def make(value: float = 0.5, **changes: Any) -> Result:
        values = dict(
            method='CSVR',
            variant='full',
            dataset='demo',
            protocol='linear',
            backbone='r3d18-small',
            seed=0,
            metrics={'top1': value},
            label_fraction=1.0,
            config='c.py',
            config_hash=changes.get('protocol', 'linear'),
            checkpoint_hash='random',
            data_version='d',
            synthetic=True,
        )
        return Result(**{**values, **changes})

    return make
