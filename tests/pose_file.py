"""Reader of the pose files that preparations write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmact_ssl.io.files import read_arrays


def read_poses(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Layout, and the poses ``(T, V, 3)`` of each video."""
    table = read_arrays(path, 'prepare it again')
    parts = np.split(table['keypoints'], np.cumsum(table['lengths'])[:-1])
    return str(table['layout']), dict(zip(table['names'].tolist(), parts))
