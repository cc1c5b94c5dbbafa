"""Data sets of generated files for benchmarks: videos, skeletons, and caches of random targets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from mmengine.config import Config

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS
from mmact_ssl.targets.cache import TargetMeta, TargetWriter

CLASSES = 60


def moving_texture(width: int, height: int, num_frames: int, seed: int) -> Iterator[np.ndarray]:
    """Frames of moving textured things before a hand-held camera, uint8 (H, W, 3).

    A background with the spectrum of natural pictures (amplitude falling with frequency) is panned,
    turned and zoomed; four textured ellipses move independently; sensor noise has deviation 2.
    """
    random = np.random.RandomState(seed)
    shape = (2 * height, 2 * width)
    frequency = np.hypot(np.fft.rfftfreq(shape[1])[None], np.fft.fftfreq(shape[0])[:, None])
    frequency[0, 0] = 1
    size = (shape[0], shape[1] // 2 + 1)
    planes = []
    for _ in range(3):
        spectrum = (random.randn(*size) + 1j * random.randn(*size)) / frequency**1.1
        plane = np.fft.irfft2(spectrum, shape)
        planes.append((plane - plane.mean()) / plane.std())
    texture = np.stack(planes, axis=-1)
    texture = np.clip(128 + 45 * (0.7 * texture[..., :1] + 0.3 * texture), 0, 255).astype(np.uint8)
    noises = [(2 * random.randn(height, width, 1)).astype(np.int16) for _ in range(8)]
    speeds, phases = random.uniform(0.5, 2, (4, 2)), random.uniform(0, 2 * np.pi, (4, 2))
    radii = random.uniform(0.08, 0.2, 4) * height
    for t in range(num_frames):
        angle, zoom = 0.02 * np.sin(t / 30), 1 + 0.03 * np.sin(t / 25)
        cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
        x, y = width / 4 + width / 8 * np.sin(t / 40), height / 4 + height / 10 * np.cos(t / 55)
        camera = np.array([[cosine, -sine, -x], [sine, cosine, -y]])
        frame = cv2.warpAffine(texture, camera, (width, height), borderMode=cv2.BORDER_REFLECT)
        for speed, phase, radius in zip(speeds, phases, radii):
            x, y = (0.5 + 0.4 * np.sin(speed * t / 20 + phase)) * (width, height)
            mask = np.zeros((height, width), np.uint8)
            axes = (int(radius), int(radius * (1 + 0.3 * np.sin(t / 6))))
            cv2.ellipse(mask, (int(x), int(y)), axes, 2 * t, 0, 360, 255, -1)
            body = np.array([[1, 0, x - width], [0, 1, y - height]])
            moved = cv2.warpAffine(texture, body, (width, height), borderMode=cv2.BORDER_REFLECT)
            cv2.copyTo(255 - moved, mask, frame)
        yield np.clip(frame + noises[t % 8], 0, 255).astype(np.uint8)


def make_videos(
    folder: Path, count: int, size: tuple[int, int] = (340, 256), num_frames: int = 300
) -> list[Path]:
    """Paths of H.264 files with libx264's defaults, of size (width, height); makes missing ones."""
    paths = []
    for seed in range(count):
        path = folder.resolve() / f'{size[0]}x{size[1]}_{num_frames}_{seed}.mp4'
        if not path.is_file():
            print(f'making {path} ...', flush=True)
            make_video(path, *size, num_frames, seed)
        paths.append(path)
    return paths


def make_video(path: Path, width: int, height: int, num_frames: int, seed: int) -> None:
    """Write one complete file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part.mp4')
    with av.open(str(part), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for image in moving_texture(width, height, num_frames, seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    os.replace(part, path)


def use_videos(cfg: Config, folder: Path, videos: Sequence[Path], count: int) -> None:
    """Point a pre-training config at ``count`` clips of videos, with random cached targets.

    Each clip is a separate link in ``folder``, for methods that need different videos.
    """
    folder.mkdir(exist_ok=True)
    names = [f'{number}.mp4' for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).symlink_to(videos[number % len(videos)])
    (folder / 'train.txt').write_text(''.join(f'{n} {i % CLASSES}\n' for i, n in enumerate(names)))
    with VideoReader(videos[0]) as reader:
        num_frames = reader.total_frames
    use_set(cfg, folder, dict(video=str(folder)))
    write_targets(cfg, folder, names, num_frames)


def build_made_set(cfg: Config, folder: Path, count: int, *videos: Any) -> Any:
    """Build the training set of a pre-training config on ``count`` generated clips.

    Args:
        videos: Arguments of :func:`make_videos`, for a config of videos.
    """
    if cfg.model.data_preprocessor.type == 'SkeletonDataPreprocessor':
        write_skeletons(
            folder, draw_lengths(count), cfg.encoder.options.layout, cfg.encoder.options.persons
        )
        use_set(cfg, folder, dict(skeleton=str(folder)))
        write_targets(cfg, folder, [str(number) for number in range(count)], 8)
    else:
        use_videos(cfg, folder, make_videos(*videos), count)
    data_set = DATASETS.build(cfg.train_dataloader.dataset)
    data_set.set_progress(0, 0)
    return data_set


def draw_lengths(count: int) -> np.ndarray:
    """Lengths in frames like those of NTU RGB+D 60 (mean 80, 20 to 300), int64 (count,)."""
    drawn = np.random.default_rng(0).lognormal(np.log(72), 0.45, count)
    return np.clip(drawn.round(), 20, 300).astype(np.int64)


def use_set(cfg: Config, folder: Path, prefix: dict[str, str]) -> None:
    """Point the training set of a config at a folder."""
    dataset = cfg.train_dataloader.dataset
    dataset.ann_file, dataset.data_prefix = str(folder / 'train.txt'), prefix


def write_skeletons(folder: Path, lengths: Sequence[int], layout: str, persons: int) -> None:
    """Write a prepared folder of random clips, named by their numbers, all in ``train.txt``."""
    random = np.random.default_rng(0)
    classes = [f'class {number}' for number in range(CLASSES)]
    with SkeletonWriter(folder, 'made', layout, classes, persons) as writer:
        for number, length in enumerate(lengths):
            shape = (persons, int(length), LAYOUTS[layout].num_joints, 3)
            writer.add(str(number), number % CLASSES, random.normal(size=shape))
        writer.finish({'train': [str(number) for number in range(len(lengths))]})


def write_targets(cfg: Config, folder: Path, names: Sequence[str], rows: int) -> None:
    """Write caches of random numbers in [0, 1), ``rows`` of each name, for a config's targets."""
    random = np.random.default_rng(0)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type != 'LoadTargets':
            continue
        kind = step.get('kind') or step.get('target', 'pose')
        layout = {'pose': 'coco17', 'map': step.get('layout', '')}.get(kind, '')
        shape: tuple[int, ...] = {
            'pose': (17, 3),
            'map': (len(PART_LAYOUTS[layout].names), 64, 64) if kind == 'map' else (),
            'text': (384,),
            'embedding': (channels_of(cfg.model.heads, step.get('target')),),
        }[kind]
        meta = TargetMeta(kind, layout, fingerprint='0', source='random numbers')
        values = random.random((rows, *shape), dtype=np.float32)
        with TargetWriter(folder / 'targets' / step.cache, meta) as writer:
            for name in names:
                writer.put(name, values)


def channels_of(heads: Any, target: str | None) -> int:
    """Channels of a teacher's embeddings, from the head that it guides."""
    settings = [head.get('teachers', {}).get(target) for head in heads.values() if head]
    return next((s['channels'] for s in settings if s and 'channels' in s), 1)
