#!/usr/bin/env python
"""Average a student's weights with those that its training started from.

    python tools/research/mean_with_start.py CONFIG CHECKPOINT OUT.pth

A student of few videos forgets a part of what its start knew. The mean of both sets of weights
keeps more of it (Wortsman et al., arXiv 2109.01903). It is evaluated and published as a checkpoint,
and cannot be resumed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.checkpoint_file import load_checkpoint_safely
from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import CheckpointError, ConfigError, one_line_errors
from mmact_ssl.registry import MODELS

BACKBONE = 'backbone.'


def mean_with_start(cfg: Config, checkpoint: str, share: float) -> dict[str, Any]:
    """Average the backbone of a checkpoint with its start.

    Args:
        cfg: Config of the training, whose backbone names its initial weights by ``checkpoint``.
        checkpoint: File that the training wrote.
        share: Weight of the student, 0..1; the start has the rest.

    Returns:
        The checkpoint without its optimizer.

    Raises:
        ConfigError: The backbone starts at random, or ``share`` is outside 0..1.
        CheckpointError: The checkpoint has another backbone.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f'--share {share}: give 0 to 1')
    if not cfg.model.backbone.get('checkpoint'):
        raise ConfigError(f'{cfg.filename}: model.backbone has no checkpoint to average with')
    init_default_scope('mmact_ssl')
    start = MODELS.build(cfg.model.backbone).state_dict()
    content = load_checkpoint_safely(checkpoint)
    state = dict(content['state_dict'])
    own = {name.removeprefix(BACKBONE) for name in state if name.startswith(BACKBONE)}
    if own != start.keys():
        raise CheckpointError(f'{checkpoint}: does not hold the backbone of {cfg.filename}')
    for name, value in start.items():
        if value.is_floating_point():
            state[BACKBONE + name] = torch.lerp(value, state[BACKBONE + name], share)
    return dict(meta=content['meta'], state_dict=state)


def main(argv: list[str] | None = None) -> None:
    """Write the mean."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='of the training')
    parser.add_argument('checkpoint', help='of the training')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--share', type=float, default=0.5, help='of the student, 0..1')
    args = parser.parse_args(argv)
    with one_line_errors():
        content = mean_with_start(read_config(args.config, None), args.checkpoint, args.share)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, args.out)
    print(args.out)


if __name__ == '__main__':
    main()
