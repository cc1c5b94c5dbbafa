"""From a collated batch to normalized tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmact_ssl.errors import DataError
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class PretextDataPreprocessor(BaseDataPreprocessor):
    """Stack views and targets, move them to the device and normalize the frames.

    Args:
        mean, std: Per RGB channel, in units of 0..255.
        views: Names of the views that the pipeline packs.
        targets: Names of the targets that the pipeline packs.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        views: Sequence[str],
        targets: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.views = tuple(views)
        self.targets = tuple(targets)
        shape = (1, -1, 1, 1, 1)
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(shape), False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(shape), False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all that it gives."""
        return (*self.views, *self.targets)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn what ``pseudo_collate`` gives into the arguments of the model's ``forward``.

        Args:
            data: ``inputs``: view -> list of uint8 ``[C, T, H, W]``; ``targets``: name -> list of
                tensors; ``data_samples``: list.

        Returns:
            ``inputs``: view -> float ``[B, C, T, H, W]``; ``targets``: name -> ``[B, ...]``;
            ``data_samples``.

        Raises:
            DataError: a view or target is missing from the batch.
        """
        data = self.cast_data(data)
        inputs = {
            view: self.normalize(torch.stack(tuple(self._take(data, 'inputs', view))))
            for view in self.views
        }
        targets = {
            name: torch.stack(tuple(self._take(data, 'targets', name))) for name in self.targets
        }
        return dict(inputs=inputs, targets=targets, data_samples=data.get('data_samples'))

    @staticmethod
    def _take(data: dict[str, Any], group: str, name: str) -> Any:
        if name not in data.get(group, {}):
            raise DataError(
                f'the batch has no {group}[{name!r}] (it has {sorted(data.get(group, {}))}): let '
                f'PackPretextInputs pack it, or take it out of model.data_preprocessor'
            )
        return data[group][name]

    def normalize(self, frames: Tensor) -> Tensor:
        """``[B, C, T, H, W]`` in 0..255 to zero mean and unit deviation."""
        return (frames.float() - self.mean) / self.std

    def denormalize(self, frames: Tensor) -> Tensor:
        """The inverse of :meth:`normalize`, rounded to whole gray values in 0..255.

        Rounding gives back the very frames that were decoded, so that a teacher which reads them
        computes what it computes on decoded frames, to the bit.
        """
        return (frames.float() * self.std + self.mean).round().clamp(0, 255)
