"""Build the parts that a published file names: registered networks and transforms, nothing else.

A card comes from outside. What a config may do, such as importing modules, starting from weights
at an address or reading other files, a card may not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from mmact_ssl.errors import reason_of

# Where the parts of a published model are defined.
FOLDERS = (
    'mmact_ssl.models.backbones.',
    'mmact_ssl.models.necks.',
    'mmact_ssl.datasets.transforms.',
    'mmaction.models.backbones.',
    'mmaction.models.data_preprocessors.',
    'mmaction.datasets.transforms.',
)
# Transforms that call whatever function they are told to.
WRAPPERS = 'mmaction.datasets.transforms.wrappers'
# Layers such as ReLU and BN3d, which networks name in their own arguments.
LAYERS = ('torch.nn.modules.', 'mmcv.cnn.')
# Words in the names of arguments that lead to files, addresses or weights.
OUTSIDE = re.compile(
    r'(^|_)(pretrained|checkpoint|weights|init_cfg|path|file|dir|root|url|backend|client|cache'
    r'|cfg_overlay)(_|$)'
)
# Names and modes: no address, no path, no expression.
PLAIN = re.compile(r'[\w.+-]{0,100}')


def known_class(name: str, registry: str) -> type | None:
    """The class of ``mmact_ssl.X`` or ``mmaction.X`` in a registry, 'MODELS' or 'TRANSFORMS'."""
    import mmaction.datasets
    import mmaction.models  # noqa: F401  (fill the registries)
    from mmaction import registry as theirs

    from mmact_ssl import registry as ours

    scope, _, part = name.partition('.')
    registries = {'mmact_ssl': ours, 'mmaction': theirs}
    if scope not in registries:
        return None
    parts = getattr(registries[scope], registry)
    parts.import_from_location()
    return parts.module_dict.get(part)


def check_part(config: Any, registry: str, where: str) -> None:
    """Raise ValueError unless a part, and all parts inside of it, may be built.

    Args:
        config: Dict of plain values with ``type``.
        registry: ``'MODELS'`` or ``'TRANSFORMS'``.
        where: Names the part in errors.
    """
    if not isinstance(config, dict) or not isinstance(config.get('type'), str):
        raise ValueError(f'{where} is not a table with a type')
    name = config['type']
    found = known_class(name, registry)
    if found is None or not _may_be_built(found):
        raise ValueError(
            f'{where} is a {name!r}, refused: not a registered backbone, neck or transform of '
            'mmact_ssl or mmaction2 (import the module that registers yours first)'
        )
    _check_arguments(config, registry, where)


def _may_be_built(found: type) -> bool:
    if found.__module__.split('.')[0] not in ('mmact_ssl', 'mmaction'):
        return True  # somebody's own, whose module they have imported
    return f'{found.__module__}.'.startswith(FOLDERS) and found.__module__ != WRAPPERS


def _check_arguments(value: Any, registry: str, where: str) -> None:
    """Refuse arguments that lead out of the file, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith('_') or (OUTSIDE.search(key) and item not in (None, False)):
                raise ValueError(f'{where}.{key} is refused: it leads out of the file')
            inside = f'{where}.{key}'
            if isinstance(item, dict) and 'type' in item:
                layer = ROOT_MODELS.module_dict.get(item['type'])
                if layer is None or not layer.__module__.startswith(LAYERS):
                    check_part(item, registry, inside)
                    continue
            _check_arguments(item, registry, inside)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            inside = f'{where}[{number}]'
            if isinstance(item, dict) and 'type' in item:
                check_part(item, registry, inside)
            else:
                _check_arguments(item, registry, inside)
    elif isinstance(value, str):
        if not PLAIN.fullmatch(value):
            raise ValueError(f'{where} is {value[:60]!r}, refused: not a name')
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise ValueError(f'{where} is a {type(value).__name__}, refused')


def without_outside(value: Any, registry: str) -> Any:
    """Copy a part of a config without what leads to files, with the full names of its types."""
    if isinstance(value, Mapping):
        part = {k: without_outside(v, registry) for k, v in value.items() if not OUTSIDE.search(k)}
        name = part.get('type')
        if isinstance(name, str) and '.' not in name:
            scopes = (f'{scope}.{name}' for scope in ('mmact_ssl', 'mmaction'))
            part['type'] = next((n for n in scopes if known_class(n, registry)), name)
        return part
    if isinstance(value, (list, tuple)):
        items = [without_outside(item, registry) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def plain_part(config: Any, registry: str, where: str) -> dict[str, Any]:
    """Write a part of a config as a card does: plain values, full names, nothing to start from.

    ValueError if a card may not hold it, see :func:`check_part`.
    """
    part = without_outside(config, registry)
    check_part(part, registry, where)
    return part


def build_model(config: dict[str, Any], where: str) -> Any:
    """Check and build a network, a preprocessor or a pooling."""
    from mmact_ssl.registry import MODELS

    check_part(config, 'MODELS', where)
    try:
        with DefaultScope.overwrite_default_scope('mmact_ssl'):
            return MODELS.build(dict(config))
    except Exception as error:  # mmaction2 answers some unknown arguments by a bare assertion
        given = ', '.join(key for key in config if key != 'type')
        raise ValueError(
            f'{where}: {config["type"]} cannot be built with {given} ({reason_of(error)})'
        ) from error


def build_pipeline(steps: list[dict[str, Any]]) -> Any:
    """Check and build the transforms of a pipeline."""
    from mmengine.dataset import Compose

    for number, step in enumerate(steps):
        check_part(step, 'TRANSFORMS', f'pipeline[{number}]')
    with DefaultScope.overwrite_default_scope('mmact_ssl'):
        return Compose([dict(step) for step in steps])
