#!/usr/bin/env python
"""Student with the adapters of its pretext tasks, for downstream tasks.

    python research/parts/adapted_backbone.py CHECKPOINT OUT.pth appearance motion parsing

writes the weights of a checkpoint of tools/train.py as this part names them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor

from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class AdaptedBackbone(BaseModule):
    """Backbone that joins the feature maps of one or several tasks along the channels.

    It replaces the student in a downstream config.

    Args:
        backbone: The student.
        adapters: Name -> adapter, as in pre-training; None if it was not exported.
        outputs: ``'feature_map'`` and names of adapters, in the order of the channels.
    """

    def __init__(
        self,
        backbone: dict,
        adapters: dict[str, dict | None],
        outputs: Sequence[str],
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.outputs = tuple(outputs)
        self.backbone = MODELS.build(backbone)
        self.adapters = ModuleDict(
            {name: MODELS.build(config) for name, config in adapters.items() if config is not None}
        )

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` to ``(B, sum of the outputs' channels, T', H', W')``."""
        features = self.backbone(frames)
        maps = features if isinstance(features, (tuple, list)) else (features,)
        adapted = {'feature_map': maps[-1]}
        for name, adapter in self.adapters.items():
            adapted[name] = adapter(maps[getattr(adapter, 'level', -1)])
        chosen = [adapted[name] for name in self.outputs]
        # Maps of several levels are pooled to the size of the smallest.
        size = min((x.shape[2:] for x in chosen), key=math.prod)
        pooled = [x if x.shape[2:] == size else F.adaptive_avg_pool3d(x, size) for x in chosen]
        return torch.cat(pooled, dim=1)


def write_adapted(checkpoint: str | Path, output: str | Path, adapters: Sequence[str]) -> None:
    """Write the weights of a training checkpoint's student and of some of its adapters."""
    prefixes = ('backbone.', *(f'adapters.{name}.' for name in adapters))
    weights = StudentFile.read(checkpoint).weights
    for prefix in prefixes:
        if not any(key.startswith(prefix) for key in weights):
            raise ConfigError(f'{checkpoint}: no {prefix}* to write')
    state = {f'backbone.{k}': value for k, value in weights.items() if k.startswith(prefixes)}
    torch.save(dict(meta={}, state_dict=state), output)


if __name__ == '__main__':
    with one_line_errors():
        write_adapted(sys.argv[1], sys.argv[2], sys.argv[3:])
