"""From a collated batch of skeleton clips of many lengths to padded tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class SkeletonDataPreprocessor(BaseDataPreprocessor):
    """Pad the clips of each view to the longest of the batch and say which frames are real.

    Args:
        views: Names of the views that the pipeline packs.
        targets: Names of the targets that the pipeline packs.
        frames_multiple: Pad to a multiple of so many frames, for a backbone with strides in time.
    """

    def __init__(
        self, views: Sequence[str], targets: Sequence[str] = (), frames_multiple: int = 1
    ) -> None:
        super().__init__()
        if frames_multiple < 1:
            raise ConfigError(
                f'SkeletonDataPreprocessor: frames_multiple is {frames_multiple}, must be at '
                'least 1'
            )
        self.views = tuple(views)
        self.targets = tuple(targets)
        self.frames_multiple = frames_multiple

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all that it gives."""
        return (*self.views, *(f'{view}_valid' for view in self.views), *self.targets)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn what ``pseudo_collate`` gives into the arguments of the model's ``forward``.

        Args:
            data: ``inputs``: view -> list of float32 ``[M, T_i, V, C]``; ``targets``: name -> list
                of tensors; ``data_samples``: list.

        Returns:
            ``inputs``: view -> float ``[B, M, T, V, C]``, zeros after each clip's end, and
            ``<view>_valid`` -> bool ``[B, M, T]``: frame within the clip and person in it.
            A person is in a clip with any non-zero coordinate; in a clip without anyone the first
            person counts as present, so that every clip has valid frames.
            ``targets``: name -> ``[B, ...]``; ``data_samples``.

        Raises:
            DataError: a view or target is missing from the batch, or the clips of a view differ
                in more than their length.
        """
        inputs: dict[str, Tensor] = {}
        for view in self.views:
            inputs[view], inputs[f'{view}_valid'] = self._pad(
                view, self._take(data, 'inputs', view)
            )
        targets = {
            name: torch.stack(tuple(self._take(data, 'targets', name))) for name in self.targets
        }
        # Padded first: one copy to the device for each view, not one for each clip.
        return self.cast_data(
            dict(inputs=inputs, targets=targets, data_samples=data.get('data_samples'))
        )

    def _pad(self, view: str, clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        shapes = {(clip.shape[0], *clip.shape[2:]) for clip in clips}
        if len(shapes) > 1:
            raise DataError(
                f'the clips of view {view!r} differ in persons, joints or coordinates '
                f'{sorted(shapes)}: a batch takes one layout and one number of persons'
            )
        frames_first = [clip.transpose(0, 1) for clip in clips]
        padded = pad_sequence(frames_first, batch_first=True)  # [B, T, M, V, C]
        missing = -padded.shape[1] % self.frames_multiple
        if missing:
            padded = torch.nn.functional.pad(padded, (0, 0, 0, 0, 0, 0, 0, missing))
        padded = padded.transpose(1, 2).contiguous()  # [B, M, T, V, C]

        lengths = torch.tensor([clip.shape[1] for clip in clips])
        within = torch.arange(padded.shape[2]) < lengths[:, None]  # [B, T]
        present = padded.flatten(2).any(dim=2)  # [B, M]
        present[:, 0] |= ~present.any(dim=1)
        return padded, within[:, None] & present[:, :, None]

    @staticmethod
    def _take(data: dict[str, Any], group: str, name: str) -> Any:
        if name not in data.get(group, {}):
            raise DataError(
                f'the batch has no {group}[{name!r}] (it has {sorted(data.get(group, {}))}): let '
                f'PackSkeletonInputs pack it, or take it out of model.data_preprocessor'
            )
        return data[group][name]
