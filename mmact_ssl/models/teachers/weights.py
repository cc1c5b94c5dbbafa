"""Find a teacher's weights, read them as data, and load them completely."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from torch import Tensor, nn

from mmact_ssl.engine.checkpoint import download_checkpoint, hash_in_name
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.files import sha256_of_file

# Names that a bare backbone's checkpoint gives to its classifier (torchvision and timm).
CLASSIFIERS = ('fc.', 'head.', 'heads.', 'classifier.')


def require_file(path: str, what: str) -> None:
    """Raise DataError if there is no such file."""
    if not Path(path).is_file():
        raise DataError(
            f'no file {path!r} ({what}), looked for it at {Path(path).expanduser().absolute()}: '
            'download it or correct the teacher config, see docs/teachers.md'
        )


def import_extra(module: str, what: str, extra: str = 'teachers') -> Any:
    """Import an optional package, or give the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{what} needs {module}: pip install 'mmact_ssl[{extra}]' ({error})"
        ) from error


def find_weights(where: str, what: str) -> str:
    """Find weights, downloading them if they are an address; returns a local path.

    Args:
        where: A path; ``package://NAME/FILE``, a file inside an installed Python package, which is
            not imported; ``https://.../name-<sha256>.pth`` or ``...#sha256=<hex>``, kept in torch
            hub's folder and compared with its hash; ``torchvision://NAME`` as mmengine writes it
            (``resnet50``, ``resnet50.imagenet1k_v2``).
        what: Names the weights in errors.
    """
    scheme = re.match(r'(\w+)://', where)
    if scheme is None:
        require_file(where, what)
        return where
    name = where[scheme.end() :]
    if scheme[1] == 'package':
        return find_in_package(name, what)
    if scheme[1] == 'torchvision':
        from mmengine.runner.checkpoint import get_torchvision_models

        known = get_torchvision_models()
        if name.lower() not in known:
            raise ConfigError(
                f'torchvision has no weights {name!r} ({what}): e.g. torchvision://resnet50'
            )
        return _download(known[name.lower()], what)
    if scheme[1] in ('http', 'https'):
        return _download(where, what)
    raise ConfigError(
        f'{where!r} ({what}): unknown scheme, write a path, package://, https:// or torchvision://'
    )


def find_in_package(name: str, what: str) -> str:
    """Find ``PACKAGE/path`` in an installed package, without importing it: a file or a folder."""
    package, _, inside = name.partition('/')
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise DataError(
            f'no Python package {package!r} ({what}): pip install {package.replace("_", "-")}, '
            'or give a path, see docs/teachers.md'
        )
    path = Path(folders[0]) / inside
    if not path.exists():
        raise DataError(f'the package {package!r} has no {inside!r} ({what}), looked at {path}')
    return str(path)


def load_by_name(network: nn.Module, state: Mapping[str, Tensor], path: str) -> None:
    """Load weights whose names and shapes must be exactly the network's, else CheckpointError."""
    try:
        network.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit, correct the teacher's config or checkpoint: "
            f'{shorten(str(error), 400)}'
        ) from error


def load_by_order(network: nn.Module, state: Mapping[str, Tensor], path: str) -> None:
    """Load weights saved under other names by a network that is built in the same order.

    For each weight the shape and the last part of its name (``bias``, ...) must be the same, else
    CheckpointError.
    """
    wanted = network.state_dict()
    if len(wanted) != len(state):
        raise CheckpointError(
            f'{path} has {len(state)} weights, {type(network).__name__} {len(wanted)}: they cannot '
            "be matched in order; give the right model, or match='name'"
        )
    matched = {}
    for (name, ours), (other, theirs) in zip(wanted.items(), state.items()):
        if ours.shape != theirs.shape or name.split('.')[-1] != other.split('.')[-1]:
            raise CheckpointError(
                f'{path}: {other} {list(theirs.shape)} stands where {type(network).__name__} has '
                f'{name} {list(ours.shape)}: they cannot be matched in order; give the right model'
            )
        matched[name] = theirs
    network.load_state_dict(matched, strict=True)


LOADERS = {'name': load_by_name, 'order': load_by_order}


def select_parts(state: Mapping[str, Tensor], parts: tuple[str, ...]) -> dict[str, Tensor]:
    """Keep the weights of some parts of an OpenMMLab model, e.g. ``('backbone', 'neck')``.

    A checkpoint without any ``backbone.`` is one of a bare backbone, as torchvision publishes them:
    it gets the prefix and loses its classifier.
    """
    if not any(name.startswith('backbone.') for name in state):
        return {f'backbone.{n}': v for n, v in state.items() if not n.startswith(CLASSIFIERS)}
    return {name: value for name, value in state.items() if name.split('.')[0] in parts}


def _download(address: str, what: str) -> str:
    address, _, given = address.partition('#sha256=')
    expected = given.lower() or hash_in_name(address)
    if not expected:
        raise ConfigError(
            f'{address} ({what}) names no hash: add #sha256=<hex of the file> to it, or download '
            'it yourself and give the path'
        )
    path = download_checkpoint(address, sha256=expected)
    require_file(path, what)  # another machine's rank 0 has downloaded it elsewhere
    found = sha256_of_file(path)
    if not found.startswith(expected):
        raise CheckpointError(
            f'{path} has sha256 {found}, {expected} is expected ({what}): delete it and try again'
        )
    return path
