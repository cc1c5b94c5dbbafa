"""Load checkpoints as data: weights and known plain objects, never code.

``import mmact_ssl`` puts these loaders in the place of mmengine's for files and for HTTP, so that
``load_from``, ``resume`` and ``init_cfg`` of every OpenMMLab model go through them.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Optional, Union
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmact_ssl.download import check_hash, download
from mmact_ssl.errors import CheckpointError, MMActSSLError
from mmact_ssl.files import reading

if TYPE_CHECKING:
    from mmengine.runner import Runner

MapLocation = Optional[Union[str, torch.device, Callable, dict]]

# Bytes of a .safetensors file's header, which its library refuses to exceed.
MAX_HEADER = 100_000_000
# What CheckpointHook and StopSignalHook save.
_SAVED = re.compile(r'((epoch|iter)_\d+|stopped)\.pth$')
STARTS = 'starts'  # in the meta of a checkpoint: how often training was started in its folder


def load_checkpoint_safely(path: str | os.PathLike, map_location: MapLocation = 'cpu') -> Any:
    """Load a local checkpoint without running any code that it may contain.

    Weights load, and so does what mmengine's resume files hold beside them: numpy arrays and
    scalars and the log history. ``meta.config`` is dropped, because ``Runner.resume`` would execute
    it as a Python file; mmengine itself writes ``meta.cfg``, which is kept and only text.
    """
    path = os.path.expanduser(os.fspath(path))
    with reading(path, 'check the path, or copy, download or train it again', CheckpointError):
        if path.endswith('.safetensors'):
            from safetensors.torch import load_file

            check_end(path)
            return load_file(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise ValueError(f'damaged, the checksum of {damaged} is wrong')
        try:
            checkpoint = _load_as_data(path, map_location)
        except pickle.UnpicklingError as error:
            raise CheckpointError(
                f'{path}: refused, it holds more than weights{_culprit(error)} and loading that '
                'could run code; save its state_dict alone where you trust it'
            ) from error
        if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('meta', {}), dict):
            raise ValueError('it holds no weights')
        checkpoint.get('meta', {}).pop('config', None)
        return checkpoint


def check_end(path: str) -> None:
    """Raise a ValueError if the end of a zip archive or of a .safetensors file is missing.

    Their own readers name other reasons.
    """
    with open(path, 'rb') as file:
        start = file.read(8)
        is_cut = start.startswith(b'PK') and not zipfile.is_zipfile(path)
        if path.endswith('.safetensors'):
            size, length = os.path.getsize(path), int.from_bytes(start, 'little')
            is_cut = size < 8 + length <= MAX_HEADER
            if 8 + length <= min(size, MAX_HEADER):
                tensors = json.loads(file.read(length))
                tensors.pop('__metadata__', None)
                ends = (tensor['data_offsets'][1] for tensor in tensors.values())
                is_cut = size < 8 + length + max(ends, default=0)
    if is_cut:
        raise ValueError('the file is cut, its end is missing')


def read_state_dict(
    path: str | os.PathLike[str], loaded: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """Read weights by name from ``.safetensors`` or a torch file, never running code.

    A dict ``state_dict`` or ``model`` around them is opened, a prefix ``module.`` taken off.
    Weights that are not finite are refused: nothing can be computed with them.

    Args:
        path: The file.
        loaded: Its content, where :func:`load_checkpoint_safely` has read it already.
    """
    path = os.fspath(path)
    with reading(path, 'download or train it again', CheckpointError):
        state: Any = load_checkpoint_safely(path) if loaded is None else loaded
        for key in ('state_dict', 'model'):
            if isinstance(state.get(key), Mapping):
                state = state[key]
        if not state or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError('holds no state dict, save the network with state_dict()')
        for name, value in state.items():
            if not value.isfinite().all():
                raise ValueError(f'the weight {name} is not finite')
        return {re.sub(r'^module\.', '', name): value for name, value in state.items()}


def saved_checkpoints(folder: str | os.PathLike[str]) -> list[tuple[int, int, str]]:
    """List the readable checkpoints that training has saved in a folder, oldest first.

    Ordered by what training counts, its starts in this folder and then its iterations: clocks are
    set back, and a container's may show another time zone. Checkpoints without starts count as 0.

    Returns:
        Starts of the training in this folder, iterations, and path of each.
    """
    saved = []
    for path in map(str, Path(folder).glob('*.pth')):
        if not _SAVED.match(os.path.basename(path)):
            continue
        try:
            with reading(path, 'it is damaged', CheckpointError):
                meta = _load_as_data(path, 'cpu', mmap=True)['meta']
                saved.append((int(meta.get(STARTS, 0)), int(meta['iter']), path))
        except CheckpointError as error:
            print_log(f'{error}: it is left out', 'current', logging.WARNING)
    return sorted(saved)


def newest_checkpoint(folder: str | os.PathLike[str]) -> str | None:
    """Find the last whole checkpoint that training has saved in a folder; None without any.

    See :func:`saved_checkpoints`. mmengine's ``last_checkpoint`` holds an absolute path, and is
    missing after some kills.
    """
    for _, _, path in reversed(saved_checkpoints(folder)):
        try:
            load_checkpoint_safely(path)
        except CheckpointError as error:
            print_log(f'{error}: looking for an older one', 'current', logging.WARNING)
        else:
            return path
    count = sum(bool(_SAVED.match(path.name)) for path in Path(folder).glob('*.pth'))
    if count:
        raise CheckpointError(
            f'{folder}: none of its {count} checkpoints is whole: give --resume another one, '
            'or delete them to train from the beginning'
        )
    return None


def newest_in(where: str | os.PathLike[str]) -> str:
    """Path of a checkpoint: a file's own, or the newest in a work dir."""
    if not os.path.isdir(where):
        return os.fspath(where)
    found = newest_checkpoint(where)
    if found is None:
        raise CheckpointError(f'{where}: no checkpoint in this folder, give the path of one')
    return found


def load_strictly(target: Runner | nn.Module, path: str) -> dict[str, Any]:
    """Load a checkpoint into a runner's model or a model, all keys of both, and return it.

    mmengine's own loading before a test only logs what is missing, and would test random heads.

    Raises:
        CheckpointError: The file cannot be read, or its keys or shapes are not the model's.
    """
    from mmengine.runner import load_checkpoint

    load: Callable = (
        partial(load_checkpoint, target)
        if isinstance(target, nn.Module)
        else target.load_checkpoint
    )
    try:
        return load(path, map_location='cpu', strict=True)
    except MMActSSLError:
        raise
    except RuntimeError as error:
        raise CheckpointError(
            f'{path}: does not fit the model of the config, give the config (and the '
            f'--cfg-options) that it was trained with: {shorten(str(error), 300)}'
        ) from error


def load_from_http(
    filename: str, map_location: MapLocation = None, model_dir: str | None = None
) -> Any:
    """Load what :func:`download_checkpoint` downloads."""
    path = download_checkpoint(filename, model_dir, hash_in_name(filename))
    return load_checkpoint_safely(path, map_location)


def hash_in_name(filename: str) -> str | None:
    """Find the sha256's beginning in a file name of a model zoo.

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
        address: ``http://`` or ``https://`` address.
        model_dir: Folder of downloads; torch hub's by default.
        sha256: Beginning of the file's hash, checked when it is downloaded.
    """
    from mmengine.dist import all_gather_object

    folder = model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(urlparse(address).path))
    problem = ''
    # Each machine may have a disk of its own, so that the first process of all is not enough.
    if local_rank() == 0 and not os.path.exists(path):
        try:
            download(address, path, partial(check_hash, expected=sha256 or ''))
        except (OSError, MMActSSLError) as error:
            problem = str(error) or repr(error)
    # The others wait for it here, and all hear of a failure.
    problems = [found for found in all_gather_object(problem) if found]
    if problems:
        raise CheckpointError(problems[0])
    return path


def local_rank() -> int:
    """Number of this process on its machine, by what the launchers tell it; 0 if it is alone."""
    from mmengine.dist import is_distributed

    if not is_distributed():  # a process that one of several has started has their variables
        return 0
    for name in ('LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'SLURM_LOCALID'):
        if name in os.environ:
            return int(os.environ[name])
    return 0


def register_safe_loaders() -> bool:
    """Replace mmengine's loaders of local and HTTP checkpoints; False if that was done already."""
    from mmengine.runner import checkpoint

    if checkpoint.load_from_local is load_checkpoint_safely:
        return False
    loader = checkpoint.CheckpointLoader
    loader.register_scheme('', load_checkpoint_safely, force=True)
    loader.register_scheme(('http://', 'https://'), load_from_http, force=True)
    # The schemes torchvision:// and open-mmlab:// call these two by name.
    checkpoint.load_from_local = load_checkpoint_safely
    checkpoint.load_from_http = load_from_http
    return True


@cache
def allowed_objects() -> dict[str, Any]:
    """List what a checkpoint may hold beside tensors, as {name in the pickle: object}.

    In mmengine's resume files: the log history and numpy values, by the names of numpy 1 and 2.
    """
    from mmengine.logging import HistoryBuffer

    multiarray = np.zeros(0).__reduce__()[0].__module__
    functions = pickle.loads(pickle.dumps([np.zeros(0).__reduce__()[0]]))
    functions.append(np.float32(0).__reduce__()[0])
    allowed: dict[str, Any] = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        # Log histories name their statistics as getattr(HistoryBuffer, 'mean').
        'builtins.getattr': _history_statistic,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
    }
    for module in {multiarray, 'numpy.core.multiarray', 'numpy._core.multiarray'}:
        allowed.update({f'{module}.{function.__name__}': function for function in functions})
    # A dtype is rebuilt as an instance of its own class, which torch looks up by type.
    for code in ('?', 'b', 'B', 'h', 'H', 'i', 'I', 'l', 'L', 'e', 'f', 'd', 'U', 'S'):
        dtype_class = type(np.dtype(code))
        allowed[f'{dtype_class.__module__}.{dtype_class.__name__}'] = dtype_class
    return allowed


def _load_as_data(path: str, map_location: MapLocation, mmap: bool | None = None) -> Any:
    check_end(path)
    with open(path, 'rb') as file:
        # Unpicklers fail on a text or a web page as on code, or by whatever its first letter means.
        if not file.read(2).startswith((b'PK', b'\x80')):  # a zip archive, or a pickle
            raise ValueError('it is not a checkpoint')
    named: list[Any] = [(value, name) for name, value in allowed_objects().items()]
    with torch.serialization.safe_globals(named):
        return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)


def _history_statistic(owner: Any, name: str) -> Callable:
    """Take the place of ``getattr``: only the statistics of a log history can be looked up."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr {name} is not allowed')
    return getattr(HistoryBuffer, name)


def _culprit(error: pickle.UnpicklingError) -> str:
    """Find the object's name in the unpickler's message."""
    match = re.search(r'GLOBAL (\S+(?: [\w.]+)?) (?:was|is) not', str(error))
    return f' ({match.group(1)})' if match else ''
