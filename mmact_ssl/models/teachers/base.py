"""Base class of the teachers: frozen networks with their own preprocessing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.files import sha256_of, sha256_of_file
from mmact_ssl.io.weights import require_file


class BaseTeacher(nn.Module):
    """Frozen network that makes targets and owns its preprocessing.

    A subclass implements :meth:`predict` and passes its network to :meth:`freeze_external`. The
    network moves with the module (``.to()``) but is not a submodule: ``state_dict()``,
    ``parameters()`` and ``.train()`` do not reach it.

    Args:
        config: Settings that decide the output besides the weights, for the fingerprint; no file
            paths.
        files: {name: file of weights}.
        batch_size: Frames, clips or sentences per forward pass; None: all at once. It is not part
            of the fingerprint, because it changes targets only by rounding.

    Attributes:
        kind: ``'pose'``, ``'embedding'``, ``'map'`` or ``'text'``.
        layout: Layout of the joints of a pose or the parts of a map; ``''`` otherwise.
        window: (number of frames, stride) of the clips that the teacher reads; None: single frames.
    """

    kind = 'pose'
    layout = ''
    window: tuple[int, int] | None = None
    _anchor: Tensor

    def __init__(
        self, config: Mapping[str, Any], files: Mapping[str, str], batch_size: int | None = None
    ) -> None:
        super().__init__()
        for name, path in files.items():
            require_file(path, f'{name} of {type(self).__name__}')
        self.batch_size = batch_size
        self._external: tuple[nn.Module, ...] = ()
        self._config = json.dumps(dict(config, type=type(self).__name__), sort_keys=True)
        self._files = dict(files)
        self._fingerprint: str | None = None
        # This buffer moves with the module, which has no visible parameter.
        self.register_buffer('_anchor', torch.zeros(0), persistent=False)
        super().train(False)

    @property
    def device(self) -> torch.device:
        """Device of the network; frames may be on another device."""
        return self._anchor.device

    def freeze_external(self, network: nn.Module) -> nn.Module:
        """Freeze a network, keep it out of the module tree, and return it."""
        network.requires_grad_(False)
        network.eval()
        self._external += (network,)
        return network

    @property
    def frozen(self) -> Any:
        """The first network of :meth:`freeze_external`."""
        return self._external[0]

    def fingerprint(self) -> str:
        """Hash (sha256, hex) of the config and the content of the files."""
        if self._fingerprint is None:
            hashes = {name: sha256_of_file(path) for name, path in sorted(self._files.items())}
            self._fingerprint = sha256_of(json.dumps([self._config, hashes], sort_keys=True))
        return self._fingerprint

    @property
    def source(self) -> str:
        """Description of the teacher for people."""
        files = ', '.join(Path(path).name for path in self._files.values())
        return f'{type(self).__name__}({files})'

    def forward(self, frames: Tensor) -> Tensor:
        """Compute targets, float32 on the device of ``frames``, without gradient.

        Pose ``(N, V, 3)``: x and y as fractions of the frame, score 0..1 (0: unknown, x = y = 0).
        Embedding ``(N, D)``. Map ``(N, C, h, w)``: probability of each part over the whole frame.

        Args:
            frames: ``(N, 3, H, W)``, or with a ``window`` clips ``(N, T, 3, H, W)``; RGB, 0..255,
                any dtype (rounded to bytes), any device.
        """
        clip = () if self.window is None else (self.window[0],)
        if frames.ndim != 4 + len(clip) or tuple(frames.shape[1:-2]) != (*clip, 3):
            expected = ', '.join(map(str, ('N', *clip, 3, 'H', 'W')))
            raise ValueError(
                f'{type(self).__name__} reads {"clips" if clip else "frames"} [{expected}], got '
                f'{list(frames.shape)}'
            )
        if frames.dtype != torch.uint8:
            frames = frames.detach().round().clamp(0, 255).to(torch.uint8)
        with self.inference():
            outputs = [
                self.predict(chunk.to(self.device)).float().to(frames.device)
                for chunk in frames.split(self.batch_size or max(len(frames), 1))
            ]
        return torch.cat(outputs)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """Context without gradient, and without the student's mixed precision."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            yield

    def predict(self, frames: Tensor) -> Tensor:
        """Make targets of uint8 frames ``(N, 3, H, W)`` or clips on the teacher's device."""
        raise ConfigError(f'{type(self).__name__} reads no frames: choose another teacher')

    def check_stride(self, owner: str, view: str, samples: Iterable[Any] | None) -> None:
        """Raise ConfigError if clips have another stride than the teacher's.

        Args:
            owner: Place of the teacher in the config, for the error.
            view: Name of the clips' view.
            samples: Data samples of the clips; a sample without ``frame_inds`` {view: int
                ``(T,)``} or ``total_frames`` is not checked.
        """
        if self.window is None:
            return
        num_frames, stride = self.window
        for sample in samples or ():
            inds = sample.get('frame_inds', {}).get(view)
            total = sample.get('total_frames')
            if inds is None or total is None:
                continue
            # As in SampleViews, frames beyond the end repeat the last frame.
            expected = np.minimum(inds[0] + stride * np.arange(len(inds)), total - 1)
            if not np.array_equal(inds, expected):
                view_stride = int(inds[1] - inds[0])
                raise ConfigError(
                    f'{owner}, {type(self).__name__}, reads clips of stride {stride}, but the view '
                    f'{view!r} has stride {view_stride}: give this view num_frames={num_frames}, '
                    f'stride={stride} in SampleViews, or choose a teacher with '
                    f'window=({num_frames}, {view_stride})'
                )

    def train(self, mode: bool = True) -> BaseTeacher:
        """Stay in evaluation mode."""
        return super().train(False)

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> BaseTeacher:
        for network in self._external:
            network._apply(fn, *args, **kwargs)
        super()._apply(fn, *args, **kwargs)
        for network in self._external:
            for module in network.modules():
                if isinstance(module, BaseDataPreprocessor):  # its .to() did not see the device
                    module._device = self.device
        return self
