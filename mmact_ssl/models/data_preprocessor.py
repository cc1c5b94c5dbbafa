"""Data preprocessors: from a collated batch to normalized tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmact_ssl.errors import DataError
from mmact_ssl.registry import MODELS

Samples = Sequence[Tensor] | Tensor  # samples of a batch, a list or stacked (B, ...)


class ViewsPreprocessor(BaseDataPreprocessor):
    """Base class: it stacks the views and targets of the pipeline.

    Args:
        targets: Names of the targets, ``'<view>.<name>'``.
    """

    def __init__(self, views: Sequence[str], targets: Sequence[str] = ()) -> None:
        # Copies from pinned memory then run asynchronously.
        super().__init__(non_blocking=True)
        self.views = tuple(views)
        self.targets = tuple(targets)

    @property
    def made_targets(self) -> tuple[str, ...]:
        """Names of all targets of a batch, ``'<view>.<name>'``."""
        return self.targets

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Convert a batch of ``pseudo_collate`` to the arguments of the model's ``forward``.

        Lists of tensors in ``inputs`` {view: ...} and ``targets`` {view: {name: ...}} become
        tensors ``(B, ...)``, unless the loader has stacked them.
        """
        targets: dict[str, dict[str, Tensor]] = {}
        inputs = {}
        packed = {
            f'{view}.{name}': samples
            for view, by_name in data.get('targets', {}).items()
            for name, samples in by_name.items()
        }
        wanted = dict(views=(self.views, data['inputs']), targets=(self.targets, packed))
        for kind, (names, available) in wanted.items():
            if missing := [name for name in names if name not in available]:
                raise DataError(
                    f'the batch has no {missing[0]!r} among its {kind} {sorted(available)}: let a '
                    'transform of the pipeline make it and PackInputs pack it, or take it out of '
                    f'model.data_preprocessor.{kind}'
                )
        for target in self.targets:
            view, name = target.split('.', 1)
            targets.setdefault(view, {})[name] = stack(packed[target])
        for view in self.views:
            inputs[view] = self.batch(view, data['inputs'][view], targets.setdefault(view, {}))
        batch = dict(inputs=inputs, targets=targets, data_samples=data.get('data_samples'))
        batch = self.cast_data(batch)
        # Normalized on the device, since the transfer of bytes takes a quarter of the time.
        batch['inputs'] = {view: self.normalize(x) for view, x in batch['inputs'].items()}
        return batch

    def batch(self, view: str, samples: Samples, targets: dict[str, Tensor]) -> Tensor:
        """Join a view's samples to a tensor ``(B, ...)``; may add to the view's ``targets``."""
        return stack(samples)

    def normalize(self, views: Tensor) -> Tensor:
        """Normalize the batch of a view, ``(B, ...)``."""
        return views


def stack(samples: Samples) -> Tensor:
    """Stack samples to a tensor ``(B, ...)``."""
    return samples if isinstance(samples, Tensor) else torch.stack(tuple(samples))


@MODELS.register_module()
class PretextDataPreprocessor(ViewsPreprocessor):
    """Stack videos and targets, move them to the device and normalize the frames.

    Views, uint8 ``(3, T, H, W)`` a sample, become float ``(B, 3, T, H, W)``.

    Args:
        mean, std: Of each RGB channel, in units of 0..255.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        views: Sequence[str],
        targets: Sequence[str] = (),
    ) -> None:
        super().__init__(views, targets)
        shape = (1, -1, 1, 1, 1)
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(shape), False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(shape), False)

    def normalize(self, views: Tensor) -> Tensor:
        """Normalize ``(B, C, T, H, W)`` in 0..255 to zero mean and unit standard deviation."""
        return (views.float() - self.mean) / self.std

    def denormalize(self, frames: Tensor) -> Tensor:
        """Invert :meth:`normalize`: the decoded frames, whole numbers in 0..255."""
        return (frames.float() * self.std + self.mean).round().clamp(0, 255)


@MODELS.register_module()
class SkeletonDataPreprocessor(ViewsPreprocessor):
    """Pad the clips of each view to the longest of the batch and mark the real frames.

    Views, float32 ``(M, T_i, V, C)`` a sample, become float ``(B, M, T, V, C)`` with zeros after
    each clip's end. A target ``'<view>.valid'``, bool ``(B, M, T)``, is True for frames within the
    clip of persons in the clip. In a clip without persons the first person counts as present. With
    a target ``'<view>.mask'`` comes ``'<view>.known'``, which MaskJointSegments makes as well.

    Raises:
        DataError: Clips of a batch differ in persons, joints or coordinates.
    """

    def __init__(self, views: Sequence[str], targets: Sequence[str] = ()) -> None:
        masked = [target.removesuffix('.mask') for target in targets if target.endswith('.mask')]
        known = [f'{view}.known' for view in masked]
        super().__init__(views, tuple(dict.fromkeys((*targets, *known))))

    @property
    def made_targets(self) -> tuple[str, ...]:
        return (*self.targets, *(f'{view}.valid' for view in self.views))

    def batch(self, view: str, samples: Samples, targets: dict[str, Tensor]) -> Tensor:
        shapes = {(clip.shape[0], *clip.shape[2:]) for clip in samples}
        if len(shapes) > 1:
            raise DataError(
                f'the clips of view {view!r} differ in (persons, joints, coordinates), '
                f'{sorted(shapes)}: load them with one layout and number of persons'
            )
        padded = pad_sequence([clip.transpose(0, 1) for clip in samples], batch_first=True)
        padded = padded.transpose(1, 2).contiguous()  # (B, T, M, V, C) to (B, M, T, V, C)
        lengths = torch.tensor([clip.shape[1] for clip in samples])
        within = torch.arange(padded.shape[2]) < lengths[:, None]  # (B, T)
        present = padded.flatten(2).any(dim=2)  # (B, M)
        present[:, 0] |= ~present.any(dim=1)
        targets['valid'] = within[:, None] & present[:, :, None]
        return padded
