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

# Backbones of mmaction2 that read their ``init_cfg`` and rename what the file holds.
OWN_READERS = ('MobileOneTSM', 'MViT')
PRETRAINED = ('Pretrained', PretrainedInit)
# Counts of batches, which only batch normalization without a momentum reads; converted weights have
# none.
COUNT = 'num_batches_tracked'


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


def take_pretrained(backbone: nn.Module) -> list[tuple[nn.Module, dict[str, Any]]]:
    """Take what is ``Pretrained`` out of each ``init_cfg`` in a backbone, but of ``OWN_READERS``.

    mmengine would load it as far as it fits, and backbones that initialize themselves, such as
    mmaction2's ResNet3d, would not read it.

    Returns:
        Modules with arguments of :func:`load_pretrained`; a module comes after those inside of it.
    """
    taken: list[tuple[Any, dict[str, Any]]] = []
    module: Any  # torch types no attribute of a module but weights
    for module in reversed(list(backbone.modules())):
        if type(module).__name__ in OWN_READERS:
            continue
        given = getattr(module, 'init_cfg', None) or []
        configs = [given] if isinstance(given, dict) else list(given)
        found = [config for config in configs if config.get('type') in PRETRAINED]
        taken += [(module, {k: v for k, v in config.items() if k != 'type'}) for config in found]
        if found:
            module.init_cfg = [config for config in configs if config not in found] or None
    return taken


def pretrained_files(config: Any) -> list[str]:
    """Files that a backbone's config names in any ``init_cfg`` of type ``Pretrained``."""
    if isinstance(config, Mapping):
        if config.get('type') in PRETRAINED:
            return [config['checkpoint']]
        config = list(config.values())
    if not isinstance(config, (list, tuple)):
        return []
    return [file for part in config for file in pretrained_files(part)]


def load_pretrained(
    module: nn.Module, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu'
) -> None:
    """Load all weights of a module, the arguments being those of mmengine's ``Pretrained``.

    Args:
        module: A backbone of any kind, or a part of one.
        checkpoint: A path, or an address that mmengine knows.
        prefix: Of the module's keys. None: ``'backbone.'`` where any key begins with it, else the
            file is of a backbone alone, whose classifier is left out.
        map_location: Where they are loaded to at first.

    Raises:
        CheckpointError: A weight is missing, unexpected or of another shape. Counts of batches
            may be missing.
    """
    state = read_state_dict(checkpoint, CheckpointLoader.load_checkpoint(checkpoint, map_location))
    if prefix is None:
        prefix = 'backbone.'
        state = select_parts(state, ('backbone',))
    prefix = f'{prefix.rstrip(".")}.'
    own = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    kind = type(module).__name__
    fix = f'use the {kind} that it was trained with, or correct its init_cfg in model.backbone'
    counts = {key: value for key, value in module.state_dict().items() if key.endswith(COUNT)}
    load_all(module, {**counts, **own}, checkpoint, fix)
    print_log(f'{kind} from {checkpoint}: {len(own)} keys', logger='current')
