"""Descriptor of motion: histograms of optical flow and of its derivatives, without learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

GAP = 1 / 15  # seconds between the frames of a pair
SHORT_SIDE = 120  # pixels of the frames between which flow is computed
CELLS, DIRECTIONS = 4, 8  # a power of two
SHAPE = (3 * DIRECTIONS, CELLS, CELLS)
VALUES = 2 * 3 * DIRECTIONS * CELLS**2  # of the descriptor of a clip
STEP = 2  # pixels between places of the flow, which DIS computes on fewer
SPEED = GAP * SHORT_SIDE  # pixels between the frames of a pair at a speed of a short side a second
FLAT = 3.0  # deviation of gray levels below which a frame shows nothing
ALIKE = 0.5  # correlation of a frame with the moved other one below which a cut lies between them


def pair_frames(seconds: np.ndarray) -> np.ndarray:
    """Pair of frames for each frame of a video, int64 ``(T, 2)``: itself, and the one GAP later.

    Of a slower video it is the next frame. Frames less than GAP before the end have the last pair
    that fits.

    Args:
        seconds: float64 ``(T,)``, rising.
    """
    last = len(seconds) - 1
    latest = int(np.searchsorted(seconds, seconds[-1] - GAP + 1e-4, 'right')) - 1
    first = np.minimum(np.arange(last + 1), max(latest, 0))
    between = (seconds[1:] + seconds[:-1]) / 2
    second = np.searchsorted(between, seconds[first] + GAP)
    return np.stack([first, np.clip(second, np.minimum(first + 1, last), last)], axis=1)


def describe_pair(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """Describe the motion between two frames by :func:`describe_flow`.

    The flow is OpenCV's DIS (Kroeger et al. 2016) on gray levels at a short side of 120 pixels.

    Args:
        first, second: uint8 ``(H, W, 3)``, RGB.

    Returns:
        float32 ``(24, 4, 4)``; None if a frame is flat (black), or a cut lies between them.
    """
    gray = [_shrink(frame) for frame in (first, second)]
    if min(cv2.meanStdDev(frame)[1].item() for frame in gray) < FLAT:
        return None
    dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = dis.calc(*gray, None)
    rows, columns = np.indices(gray[0].shape, np.float32)
    places = (columns + flow[..., 0], rows + flow[..., 1])
    moved = cv2.remap(gray[1], *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alike = np.corrcoef(gray[0].ravel(), moved.ravel(), dtype=np.float32)[0, 1]
    return None if alike < ALIKE else describe_flow(flow)


def _shrink(frame: np.ndarray) -> np.ndarray:
    """Gray levels, uint8, at a short side of 120 pixels."""
    scale = SHORT_SIDE / min(frame.shape[:2])
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=how), cv2.COLOR_RGB2GRAY)


def describe_flow(flow: np.ndarray) -> np.ndarray:
    """Square roots of the HOF, MBHx and MBHy of 4 x 4 cells, float32 ``(24, 4, 4)``, 0..1.

    The flow's median over the frame, mostly the camera's motion, is subtracted first. A histogram
    has 8 directions, of 0, 45, ... degrees from right by down to up: those of the flow (HOF), or of
    the gradient of its horizontal (MBHx) or vertical part (MBHy). A pixel votes for its two nearest
    directions. Its votes add to the vector's length, in short sides a second for HOF; a bin is the
    mean over the cell, at most 1.

    Source: Dalal, Triggs and Schmid (ECCV 2006), Wang et al. (IJCV 2013).

    Args:
        flow: float ``(H, W, 2)``, to the right and down, in pixels a pair.
    """
    flow = np.ascontiguousarray(flow[::STEP, ::STEP], np.float32)
    flow -= np.median(flow.reshape(-1, 2), axis=0)
    fields = [flow / np.float32(SPEED)]
    for part in (0, 1):
        down, right = np.gradient(flow[..., part], STEP)
        fields.append(np.stack([right, down], axis=2))
    rows, columns = (np.arange(pixels) * CELLS // pixels for pixels in flow.shape[:2])
    cells = CELLS * rows[:, None] + columns
    area = np.bincount(cells.ravel(), minlength=CELLS**2)
    bins = np.concatenate([_votes(field, cells) / area[:, None] for field in fields], axis=1)
    return np.sqrt(bins.T.clip(0, 1)).astype(np.float32).reshape(SHAPE)


def _votes(field: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Sums of the votes of vectors ``(H, W, 2)``, float64 ``(16, 8)``."""
    length, angle = cv2.cartToPolar(field[..., 0], field[..., 1])
    angle *= np.float32(DIRECTIONS / (2 * np.pi))
    before = angle.astype(np.int64)
    share = angle - before
    votes = np.zeros(CELLS**2 * DIRECTIONS)
    for direction, part in ((before, 1 - share), (before + 1, share)):
        bins = DIRECTIONS * cells + (direction & DIRECTIONS - 1)
        votes += np.bincount(bins.ravel(), (length * part).ravel(), len(votes))
    return votes.reshape(-1, DIRECTIONS)


def at_gap(described: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Descriptors ``(N, 24, 4, 4)`` of pairs ``seconds`` apart, brought to pairs GAP apart."""
    ratio = np.where(seconds > 0, GAP / np.maximum(seconds, 1e-6), 0)
    return (described * np.sqrt(ratio)[:, None, None, None]).clip(0, 1).astype(np.float32)


def describe_clip(described: Sequence[np.ndarray | None], seconds: np.ndarray) -> np.ndarray:
    """Mean and deviation of the descriptors of the pairs of a clip, float32 ``(768,)``.

    Flat pairs and cuts are left out; a clip without any other pair counts as still.

    Args:
        described: What :func:`describe_pair` returns for each pair.
        seconds: float64 ``(P,)``, time between the frames of a pair.
    """
    known = np.array([pair is not None for pair in described], bool)
    if not known.any():
        return np.zeros(VALUES, np.float32)
    maps = at_gap(np.stack([pair for pair in described if pair is not None]), seconds[known])
    return np.concatenate([maps.mean(axis=0).ravel(), maps.std(axis=0).ravel()])
