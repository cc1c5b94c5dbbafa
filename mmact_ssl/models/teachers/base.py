"""What every teacher has in common: frozen, self-contained, and no part of the student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.files import sha256_of_file
from mmact_ssl.models.teachers.weights import require_file

PRECISIONS = ('float32', 'float16')


class BaseTeacher(nn.Module):
    """A frozen network that makes targets and owns its preprocessing.

    Subclasses implement :meth:`predict` and set up their network with :meth:`hide`. A network that
    is hidden moves with the module (``.to()``, ``.cuda()``) but is no submodule: it has no entry in
    ``state_dict()``, ``parameters()`` or an optimizer, ``.train()`` does not reach it, and strict
    loading of a student that holds a teacher works.

    Args:
        config: What decides the output besides the weights; JSON-serializable. No file paths, so
            that moving a file changes no fingerprint.
        files: Weights by name.
        batch_size: Frames or clips per forward pass, the last pass padded with black ones: kernels
            sum in an order that depends on the batch size, so only with one size are online and
            cached targets equal to the bit. None: all at once, for what is exact in any batch.
        precision: ``'float16'`` runs the network under autocast in half precision, faster on a GPU
            and slower on a CPU. Targets are float32 either way; it is part of the fingerprint.

    Attributes:
        kind: What a target is: ``'pose'``, ``'embedding'``, ``'map'`` or ``'text'`` (``'box'``: the
            boxes that a pose teacher may ask for, no target).
        layout: Names the joints of a pose or the parts of a map; ``''`` otherwise.
        window: None: reads single frames. (number of frames, stride): reads clips of these.

    Raises:
        DataError: A file is missing.
        ConfigError: Unknown precision or impossible batch size.
    """

    kind = 'pose'
    layout = ''
    window: tuple[int, int] | None = None
    _anchor: Tensor

    def __init__(
        self,
        config: Mapping[str, Any],
        files: Mapping[str, str],
        batch_size: int | None = None,
        precision: str = 'float32',
    ) -> None:
        super().__init__()
        for name, path in files.items():
            require_file(path, f'{name} of {type(self).__name__}')
        if precision not in PRECISIONS:
            raise ConfigError(f'precision={precision!r} of {type(self).__name__}: {PRECISIONS}')
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f'batch_size={batch_size} of {type(self).__name__}: at least 1')
        self.batch_size = batch_size
        self.precision = precision
        self._hidden: tuple[nn.Module, ...] = ()
        # Left out at full precision, so that caches made before there was a choice stay valid.
        chosen = {} if precision == 'float32' else {'precision': precision}
        self._config = json.dumps(dict(config, type=type(self).__name__, **chosen), sort_keys=True)
        self._files = dict(files)
        self._fingerprint: str | None = None
        # Follows the module from device to device, though no parameter is visible.
        self.register_buffer('_anchor', torch.zeros(0), persistent=False)
        super().train(False)

    @property
    def device(self) -> torch.device:
        """Where the teacher computes; frames from elsewhere are welcome."""
        return self._anchor.device

    def hide(self, network: nn.Module) -> nn.Module:
        """Freeze a network and keep it out of the module tree; returns it."""
        network.requires_grad_(False)
        network.eval()
        self._hidden += (network,)
        return network

    def fingerprint(self) -> str:
        """Hash (sha256, hex) of the config and the content of the weight files."""
        if self._fingerprint is None:
            hashes = {name: sha256_of_file(path) for name, path in sorted(self._files.items())}
            text = json.dumps([self._config, hashes], sort_keys=True)
            self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return self._fingerprint

    @property
    def source(self) -> str:
        """One line that names the teacher for people."""
        files = ', '.join(Path(path).name for path in self._files.values())
        return f'{type(self).__name__}({files})'

    def forward(self, frames: Tensor) -> Tensor:
        """Make targets.

        Args:
            frames: [N, 3, H, W], or with a ``window`` clips [N, T, 3, H, W]; RGB, 0..255, any dtype
                (rounded to bytes).

        Returns:
            Targets float32 on the device of ``frames``, without gradient. Pose [N, V, 3]: x and y
            as fractions of the frame, score 0..1 (0: unknown, x = y = 0). Embedding [N, D]. Map
            [N, C, h, w]: probability of each part, 0..1, over the whole frame.
        """
        self._check_shape(frames)
        if frames.dtype != torch.uint8:
            frames = frames.detach().round().clamp(0, 255).to(torch.uint8)
        # Kernels sum in an order that depends on the layout of the memory, too.
        frames = frames.contiguous()
        return self.in_chunks(self.predict, frames)

    def in_chunks(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Run ``function`` on ``batch_size`` inputs at a time, without gradient, at our precision.

        Args:
            function: Maps [batch_size, ...] on the teacher's device to as many results.
            inputs: [N, ...], N >= 0, on any device.

        Returns:
            [N, ...], float32, on the device of ``inputs``.
        """
        size = self.batch_size or max(len(inputs), 1)
        outputs = []
        # The student's mixed precision must not change the targets, hence a context of our own.
        half = self.precision == 'float16'
        with torch.no_grad(), torch.autocast(self.device.type, torch.float16, enabled=half):
            if half:
                self._check_half()
            for start in range(0, max(len(inputs), 1), size):
                chunk = inputs[start : start + size].to(self.device)
                padding = chunk.new_zeros(size - len(chunk), *chunk.shape[1:])
                output = function(torch.cat([chunk, padding]) if len(padding) else chunk)
                outputs.append(output[: len(chunk)].float().to(inputs.device))
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def predict(self, frames: Tensor) -> Tensor:
        """Make targets of uint8 frames [N, 3, H, W] (or clips), without gradient.

        N is ``batch_size`` if there is one; frames are on the teacher's device.
        """
        raise NotImplementedError

    def check_stride(self, owner: str, view: str, samples: Iterable[Any] | None) -> None:
        """Refuse clips whose frames are not as far apart as those that the teacher reads.

        Args:
            owner: The teacher's place in the config, for the error.
            view: Name of the clips' view.
            samples: Their data samples, with ``frame_inds`` {view: int [T]} and ``total_frames``.
                What does not say which frames it has is not checked.

        Raises:
            ConfigError: A clip has another stride, not counting frames that repeat the last one of
                a short video.
        """
        if self.window is None:
            return
        num_frames, stride = self.window
        for sample in samples or ():
            inds = sample.get('frame_inds', {}).get(view)
            total = sample.get('total_frames')
            if inds is None or total is None:
                continue
            # The same clamping as SampleViews': frames beyond the end repeat the last one.
            wanted = np.minimum(inds[0] + stride * np.arange(len(inds)), total - 1)
            if not np.array_equal(inds, wanted):
                found = int(inds[1] - inds[0])
                raise ConfigError(
                    f'{owner}, {type(self).__name__}, reads clips of stride {stride}, but the view '
                    f'{view!r} has stride {found} (its first frames are {list(map(int, inds[:4]))})'
                    f': give this view num_frames={num_frames}, stride={stride} in SampleViews, or '
                    f'choose a teacher with window=({num_frames}, {found})'
                )

    def train(self, mode: bool = True) -> BaseTeacher:
        """Stay in evaluation mode whatever the student does."""
        return super().train(False)

    def _check_shape(self, frames: Tensor) -> None:
        if self.window is None:
            if frames.ndim != 4 or frames.shape[1] != 3:
                raise ValueError(f'a teacher reads frames [N, 3, H, W], got {list(frames.shape)}')
        elif frames.ndim != 5 or frames.shape[2] != 3 or frames.shape[1] != self.window[0]:
            raise ValueError(
                f'{type(self).__name__} reads clips [N, {self.window[0]}, 3, H, W] '
                f'(window {self.window}), got {list(frames.shape)}'
            )

    def _check_half(self) -> None:
        """Refuse where autocast quietly does nothing (older torch on a CPU)."""
        one = torch.ones(1, 1, device=self.device)
        if (one @ one).dtype != torch.float16:
            raise ConfigError(
                f"precision='float16' of {type(self).__name__}: torch {torch.__version__} has no "
                f"half precision on {self.device.type}, use 'float32'"
            )

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> BaseTeacher:
        for network in self._hidden:
            network._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)
