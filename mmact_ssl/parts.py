"""Build the parts that a file from outside names.

:mod:`mmact_ssl.part_checks` checks them first. While they are built, the registries give listed
types only, and a network grows no larger than the file.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import DefaultScope, Registry
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from mmact_ssl.allowed_types import ALLOWED_TYPES, MAX_MODULES, SPARE_VALUES
from mmact_ssl.errors import reason_of
from mmact_ssl.part_checks import check_part, check_pipeline
from mmact_ssl.upstream.mmengine_fixes import restricted_registries


def known_class(name: str, place: str) -> Any:
    """The registered class or function of ``mmact_ssl.X``, ``mmaction.X`` or a layer ``X``.

    None if there is none. ``place`` is a key of :data:`ALLOWED_TYPES`.
    """
    import mmaction.datasets
    import mmaction.models  # noqa: F401  (fill the registries)

    import mmact_ssl.registry  # noqa: F401

    root = ROOT_TRANSFORMS if place.endswith('transform') else ROOT_MODELS
    scope, _, part = name.rpartition('.')
    registry = root.children.get(scope) if scope else root
    if registry is None:
        return None
    registry.import_from_location()
    return registry.module_dict.get(part)


def listed_types_only() -> AbstractContextManager[None]:
    """Restrict the registries to the listed types, in this thread.

    Networks look up more names than the ``type`` of a config: the ``padding_mode`` of mmcv's
    ``ConvModule`` is one.
    """
    names = {name: place for place, types in ALLOWED_TYPES.items() for name in types}
    listed = [part for part in map(known_class, names, names.values()) if part is not None]
    return restricted_registries(listed)


class _LinspaceOnCPU(TorchFunctionMode):
    """Keep ``torch.linspace`` off the meta device: networks compute rates of drop path by it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return func(*args, **({'device': 'cpu', **kwargs} if func is torch.linspace else kwargs))


@contextmanager
def _bounded(most_values: float) -> Iterator[None]:
    """Stop a network that grows beyond a number of values, or of parts, in this thread."""
    owner, parts, values = threading.get_ident(), 0, 0

    def count(module: nn.Module, name: str, part: Any) -> None:
        nonlocal parts, values
        if threading.get_ident() == owner and part is not None:
            parts, values = parts + 1, values + (part.numel() if isinstance(part, Tensor) else 0)
            if parts > MAX_MODULES or values > most_values + SPARE_VALUES:
                raise ValueError('its network is larger than the file')

    with ExitStack() as stack:
        for register in (
            hooks.register_module_parameter_registration_hook,
            hooks.register_module_buffer_registration_hook,
            hooks.register_module_module_registration_hook,
        ):
            stack.callback(register(count).remove)
        yield


def build_model(config: dict[str, Any], place: str, where: str, size: float = math.inf) -> Any:
    """Check and build a network, a preprocessor or a pooling.

    Args:
        config, place, where: As in :func:`check_part`.
        size: Bytes of the file with its weights, an upper limit for the number of its values.
    """
    from mmact_ssl.registry import MODELS

    check_part(config, place, where)
    with _bounded(size):
        return _build(MODELS, config, where)


def _build(registry: Registry, config: dict[str, Any], where: str) -> Any:
    try:
        with DefaultScope.overwrite_default_scope('mmact_ssl'), listed_types_only():
            return registry.build(dict(config))
    except Exception as error:  # mmaction2 answers some unknown arguments by a bare assertion
        arguments = ', '.join(key for key in config if key != 'type')
        raise ValueError(
            f'{where}: {config["type"]} cannot be built with {arguments} ({reason_of(error)})'
        ) from error


def build_without_memory(config: dict[str, Any], where: str, size: float) -> nn.Module:
    """Build a backbone by :func:`build_model` on torch's meta device."""
    with torch.device('meta'), _LinspaceOnCPU():
        return build_model(config, 'backbone', where, size)


def build_pipeline(steps: list[dict[str, Any]]) -> Any:
    """Check and build the transforms of a pipeline."""
    from mmengine.dataset import Compose

    from mmact_ssl.registry import TRANSFORMS

    check_pipeline(steps)
    built = [_build(TRANSFORMS, step, f'pipeline[{i}]') for i, step in enumerate(steps)]
    return Compose(built)
