"""The synthetic demo world, written by :mod:`mmact_ssl.demo_world`."""

from __future__ import annotations

from pathlib import Path

from mmact_ssl.demo_world.write import write_demo_world


def prepare_demo(
    out: Path, seed: int = 0, size: str = 'default', workers: int = 2
) -> dict[str, int]:
    """Generate the demo world, or keep the one that is there if version, seed and size agree.

    Args:
        out: Folder to write to.
        seed: Of everything that is drawn.
        size: 'default' (64 training and 20 test clips per class) or 'tiny' (2 and 1).
        workers: Processes.

    Returns:
        dict: number of clips per split.
    """
    return write_demo_world(out, seed=seed, size=size, workers=workers)
