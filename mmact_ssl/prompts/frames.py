"""Picture of a clip for a vision-language model: its frames side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.preparation.files import VIDEO_SUFFIXES

SIZE = 224  # pixels of a frame
# Limbs of the left side, of the right side, and of the middle (RGB).
COLORS = {'left': (30, 90, 220), 'right': (220, 60, 40), '': (60, 60, 60)}


def frame_sheet(
    name: str, keypoint: np.ndarray, layout: str, frames: int = 8, videos: str | None = None
) -> np.ndarray:
    """Join evenly spaced frames of a clip to a picture of two rows.

    Args:
        name: Name of the clip.
        keypoint: ``(M, T, V, C)``, drawn if ``videos`` is None.
        layout: Key of LAYOUTS.
        frames: Even number of frames.
        videos: Folder of real videos, named ``name`` with one of VIDEO_SUFFIXES.

    Returns:
        uint8 ``(2 * SIZE, frames / 2 * SIZE, 3)``, RGB.
    """
    if frames < 2 or frames % 2:
        raise ConfigError(f'frames={frames} of a clip: choose an even number, at least 2')
    if videos is None:
        pictures = draw_skeletons(keypoint, LAYOUTS[layout], frames)
    else:
        pictures = _read_video(Path(videos), name, frames)
    half = frames // 2
    return cv2.vconcat([cv2.hconcat(pictures[:half]), cv2.hconcat(pictures[half:])])


def draw_skeletons(keypoint: np.ndarray, layout: SkeletonLayout, frames: int) -> list[np.ndarray]:
    """Draw stick figures from the camera's view, at the same scale in all frames.

    Args:
        keypoint: ``(M, T, V, C)``; y points up with 3 coordinates, and down with 2 (a picture).
        layout: Layout of the V joints.
        frames: Number of pictures, spread evenly over T.

    Returns:
        uint8 ``(SIZE, SIZE, 3)``, RGB, for each of the ``frames``.
    """
    known = (keypoint != 0).any(axis=-1)  # (M, T, V)
    points = keypoint[..., :2].astype(np.float64)
    if keypoint.shape[-1] == 3:
        # If z is the depth, x grows to the left: right-handed axes, as a Kinect's.
        is_depth = known.any() and np.median(keypoint[known][:, 2]) > 0
        points = points * (-1 if is_depth else 1, -1)
    seen = points[known] if known.any() else np.zeros((1, 2))
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = 0.9 * SIZE / max(float((high - low).max()), 1e-6)
    pixels = (points - (low + high) / 2) * scale + SIZE / 2
    pictures = []
    for t in spread_frames(keypoint.shape[1], frames):
        picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
        for person in range(len(keypoint)):
            for start, end in layout.limbs:
                if known[person, t, start] and known[person, t, end]:
                    first, last = pixels[person, t, [start, end]].round().astype(int).tolist()
                    cv2.line(picture, first, last, _color(layout, start, end), 3, cv2.LINE_AA)
        pictures.append(picture)
    return pictures


def _color(layout: SkeletonLayout, start: int, end: int) -> tuple[int, int, int]:
    sides = {layout.names[joint].partition('_')[0] for joint in (start, end)} & {'left', 'right'}
    return COLORS[sides.pop() if len(sides) == 1 else '']


def _read_video(folder: Path, name: str, frames: int) -> list[np.ndarray]:
    paths = [folder / f'{name}{suffix}' for suffix in ('', *VIDEO_SUFFIXES)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(f'{folder} has no video of the clip {name!r}: correct --videos')
    with VideoReader(path) as reader:
        chosen = spread_frames(reader.total_frames, frames)
        images = reader.read(chosen)
    return [cv2.resize(images[t], (SIZE, SIZE)) for t in chosen]
