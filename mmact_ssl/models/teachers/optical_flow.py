"""Teacher of motion: histograms of optical flow on cells, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmact_ssl.datasets import motion
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class OpticalFlowTeacher(BaseTeacher):
    """Teacher that computes HOF, MBHx and MBHy of pairs of frames: maps ``(N, 24, 4, 4)``.

    See :func:`mmact_ssl.datasets.motion.describe_flow`. The cached target of a frame is of the pair
    that begins there, whatever the stride of a view. A pair with a flat frame or across a cut
    counts as still. It runs on the processor.
    """

    kind, layout, gap = 'map', 'motion_cells', motion.GAP

    def __init__(self) -> None:
        names = ('GAP', 'SHORT_SIDE', 'CELLS', 'DIRECTIONS', 'FLAT', 'ALIKE')
        super().__init__({name: getattr(motion, name) for name in names}, {})

    @property
    def source(self) -> str:
        """Description of the teacher for people."""
        return f'{type(self).__name__}, pairs {self.gap:.3f} s apart'

    def forward(self, frames: Tensor, seconds: Tensor | None = None) -> Tensor:
        """Describe pairs ``(N, 2, 3, H, W)``, ``seconds`` ``(N,)`` apart (None: GAP)."""
        values = super().forward(frames)
        if seconds is None:
            return values
        scaled = motion.at_gap(values.cpu().numpy(), seconds.cpu().numpy())
        return torch.from_numpy(scaled).to(frames.device)

    def predict(self, frames: Tensor) -> Tensor:
        """Describe uint8 pairs ``(N, 2, 3, H, W)``, GAP apart."""
        pairs = frames.movedim(2, -1).cpu().numpy()
        described = (motion.describe_pair(*pair) for pair in pairs)
        still = np.zeros(motion.SHAPE, np.float32)
        return torch.from_numpy(np.stack([still if d is None else d for d in described]))

    def seconds_between(self, owner: str, view: str, samples: Sequence[Any] | None) -> Tensor:
        """Seconds ``(B,)`` between the two frames of a view.

        Args:
            owner: Place of the teacher in the config, for the error.
            samples: Data samples with ``frame_seconds`` {view: float ``(2,)``}.

        Raises:
            ConfigError: The frames are not a pair about GAP apart.
        """
        times = np.stack([sample.get('frame_seconds')[view] for sample in samples or ()])
        between = times[:, -1] - times[:, 0]
        if times.shape[1] != 2 or between.max() > 1.5 * motion.GAP:
            raise ConfigError(
                f'{owner}, {type(self).__name__}, reads pairs of frames {motion.GAP:.3f} s apart: '
                f'give the view {view!r} num_frames=2 and a stride of that time in SampleViews, or '
                'extract the targets'
            )
        return torch.from_numpy(between)
