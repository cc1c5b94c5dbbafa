"""What every teacher has in common: frozen, self-contained, and no part of the student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmact_ssl.datasets.target_import import file_sha256
from mmact_ssl.errors import ConfigError, DataError


def require_file(path: str, what: str) -> None:
    """Raise DataError if there is no such file."""
    if not Path(path).is_file():
        raise DataError(
            f'no file {path!r} ({what}): download it or correct the teacher config, '
            'see docs/teachers.md'
        )


def load_model_config(config: str, what: str) -> Config:
    """Load an OpenMMLab config from a file or, written `mmpose::...`, from an installed package.

    Raises:
        DataError: There is no such file.
        ConfigError: It has no model or no test pipeline.
    """
    if '::' in config:
        from mmengine.hub import get_config

        loaded = get_config(config)
    else:
        require_file(config, f'config of {what}')
        loaded = Config.fromfile(config)
    for key in ('model', 'test_dataloader'):
        if key not in loaded:
            raise ConfigError(f'{config} has no {key!r}: a complete config is expected')
    return Config(loaded.to_dict())


def without_init(config: Any) -> Any:
    """Drop every `init_cfg`: the checkpoint replaces all weights, and no download is wanted."""
    if isinstance(config, dict):
        return {k: without_init(v) for k, v in config.items() if k != 'init_cfg'}
    if isinstance(config, (list, tuple)):
        return [without_init(value) for value in config]
    return config


class BaseTeacher(nn.Module):
    """A frozen network that makes targets and owns its preprocessing.

    Subclasses implement :meth:`predict` and set up their network with :meth:`hide`. A network that
    is hidden moves with the module (`.to()`, `.cuda()`) but is no submodule: it has no entry in
    `state_dict()`, `parameters()` or an optimizer, `.train()` does not reach it, and strict loading
    of a student that holds a teacher works.

    Args:
        config: What decides the output besides the weights; JSON-serialisable. No file paths, so
            that moving a file changes no fingerprint.
        files: Weights by name.

    Raises:
        DataError: A file is missing.
    """

    kind = 'pose'
    layout = ''
    # Frames and stride of the clips that it reads; None: single frames.
    window: tuple[int, int] | None = None
    _anchor: Tensor

    def __init__(self, config: Mapping[str, Any], files: Mapping[str, str]) -> None:
        super().__init__()
        for name, path in files.items():
            require_file(path, f'{name} of {type(self).__name__}')
        self._hidden: tuple[nn.Module, ...] = ()
        self._config = json.dumps(dict(config, type=type(self).__name__), sort_keys=True)
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
            hashes = {name: file_sha256(path) for name, path in sorted(self._files.items())}
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
            frames: [N, 3, H, W], RGB, 0..255, any dtype (rounded to bytes).

        Returns:
            Targets on the device of `frames`, without gradient: for a pose teacher float32
            [N, V, 3], x and y as fractions of the frame, score 0..1 (0: unknown, x = y = 0).
        """
        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f'a teacher reads frames [N, 3, H, W], got {list(frames.shape)}')
        if frames.dtype != torch.uint8:
            frames = frames.detach().round().clamp(0, 255).to(torch.uint8)
        # The student's mixed precision must not change the targets.
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            return self.predict(frames.to(self.device)).to(frames.device)

    def predict(self, frames: Tensor) -> Tensor:
        """Make targets of uint8 frames [N, 3, H, W], N >= 0, without gradient."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> BaseTeacher:
        """Stay in evaluation mode whatever the student does."""
        return super().train(False)

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> BaseTeacher:
        for network in self._hidden:
            network._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)
