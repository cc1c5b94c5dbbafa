"""Fixes of mmaction2's data sets and transforms, applied when they are used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from packaging.version import Version


def fix_video_lists(read_list: Callable[[str, str], list[dict]]) -> bool:
    """Make mmaction2's VideoDataset read lists as this package does.

    mmaction2 reads a byte order mark as a part of the first name, and fails on blank lines, tabs
    and names with blanks. Call it before a data set is built: importing mmaction2 takes seconds.

    Args:
        read_list: Reads a list's path and the folder of its videos to mmaction2's dicts.
    """
    from mmaction.datasets import VideoDataset

    read = VideoDataset.load_data_list
    if read.__module__ == __name__:
        return False

    def load_data_list(self: VideoDataset) -> list[dict]:
        if self.multi_class or self.delimiter != ' ' or '://' in self.ann_file:
            return read(self)
        return read_list(self.ann_file, self.data_prefix.get('video') or '')

    VideoDataset.load_data_list = load_data_list
    return True


def fix_color_jitter() -> bool:
    """Make mmaction2's ColorJitter shift hues below zero with numpy 2.

    It adds a negative number to unsigned bytes, which numpy 2 refuses. Call it after the transforms
    are built: importing them takes seconds.
    """
    processing = sys.modules.get('mmaction.datasets.transforms.processing')
    if processing is None or Version(np.__version__) < Version('2'):
        return False
    if processing.ColorJitter.adjust_hue is adjust_hue:
        return False
    processing.ColorJitter.adjust_hue = staticmethod(adjust_hue)
    return True


def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
    """Shift the hue of an image (H, W, 3), values 0 to 255, by ``factor`` x 510 degrees."""
    import cv2

    hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + int(factor * 255)) % 180  # in steps of 2 degrees
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)
