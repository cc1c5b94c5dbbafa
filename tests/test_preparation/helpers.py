"""Helpers of several preparations."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.demo_world.write import write_video


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def make_video(path: Path, num_frames: int = 4, seed: int = 0) -> Path:
    """Write a video of noise, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.random.default_rng(seed).integers(0, 255, (num_frames, 32, 32, 3), np.uint8)
    write_video(path, frames)
    return path
