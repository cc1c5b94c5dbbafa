"""Load all weights of a backbone, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmact_ssl.engine.checkpoint import read_state_dict
from mmact_ssl.errors import CheckpointError
from mmact_ssl.models.teachers.weights import select_parts


def require_fit(module: nn.Module, state: Mapping[str, Any], checkpoint: str, fix: str) -> None:
    """Raise CheckpointError for a weight that is missing, unexpected or of another shape."""
    own, given = (
        {key: list(value.shape) for key, value in part.items()}
        for part in (module.state_dict(), state)
    )
    differing = [
        f'{key} {given.get(key, "missing")}≠{own.get(key, "unexpected")}'
        for key in {**own, **given}
        if own.get(key) != given.get(key)
    ]
    if differing:
        raise CheckpointError(
            f'{checkpoint}: {len(differing)} weights do not fit ({", ".join(differing[:3])}): {fix}'
        )


def load_all(module: nn.Module, state: Mapping[str, Any], checkpoint: str, fix: str) -> None:
    """Load all weights of a module, or none: see :func:`require_fit`."""
    require_fit(module, state, checkpoint, fix)
    module.load_state_dict(state)


def take_pretrained(backbone: Any) -> list[dict[str, Any]]:
    """Take what is ``Pretrained`` out of a backbone's ``init_cfg`` and return it, without types.

    mmengine would load it as far as it fits, and backbones that initialize themselves, such as
    mmaction2's ResNet3d, would not read it.
    """
    given = getattr(backbone, 'init_cfg', None) or []
    configs = [given] if isinstance(given, dict) else list(given)
    taken = [config for config in configs if config['type'] in ('Pretrained', PretrainedInit)]
    if taken:
        backbone.init_cfg = [config for config in configs if config not in taken] or None
    return [{key: value for key, value in config.items() if key != 'type'} for config in taken]


def load_pretrained(
    backbone: nn.Module, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu'
) -> None:
    """Load all weights of a backbone, the arguments being those of mmengine's ``Pretrained``.

    Args:
        backbone: Of any kind.
        checkpoint: A path, or an address that mmengine knows.
        prefix: Of the backbone's keys. None: ``'backbone.'`` where any key begins with it, else the
            file is of a backbone alone, whose classifier is left out.
        map_location: Where they are loaded to at first.

    Raises:
        CheckpointError: A weight is missing, unexpected or of another shape.
    """
    state = read_state_dict(checkpoint, CheckpointLoader.load_checkpoint(checkpoint, map_location))
    if prefix is None:
        prefix = 'backbone.'
        state = select_parts(state, ('backbone',))
    prefix = f'{prefix.rstrip(".")}.'
    own = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    fix = 'use the model.backbone that it was trained with, or correct model.backbone.init_cfg'
    load_all(backbone, own, checkpoint, fix)
    print_log(f'backbone from {checkpoint}: {len(own)} keys', logger='current')
