"""Checkpoints and published files, read as data: weights and known plain objects, never code."""

from __future__ import annotations

import logging
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from torch import Tensor

from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.files import CONTROL, reading, shown
from mmact_ssl.io.records import Card, Meta
from mmact_ssl.io.schema import conform, parse_json

MapLocation = str | torch.device | Callable | dict | None

# Suffixes of a training checkpoint, of a published model, and of its export to onnxruntime.
CHECKPOINT, MODEL, ONNX = '.pth', '.safetensors', '.onnx'
# What CheckpointHook and StopSignalHook save.
_SAVED = re.compile(rf'((epoch|iter)_\d+|stopped){re.escape(CHECKPOINT)}$')
STARTS = 'starts'  # in the meta of a checkpoint: how often training was started in its folder
PUBLISH = 'download it again, or publish it by mmact-ssl publish'  # of a damaged published file
LONGEST_NAME = 300  # of a weight; errors show names
MOST_PARTS = 1_000_000  # of a meta
MOST_TIES = 8  # weights of one network that share their values
CARD_KEY = 'mmact_ssl_card'  # of a published model's card in the metadata of its file


def newest_checkpoint(folder: str | os.PathLike[str]) -> str | None:
    """Find the newest checkpoint in a folder, see :func:`read_newest`; None if it has none."""
    return read_newest(folder)[0] if _saved_files(folder) else None


def read_newest(folder: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """Path and content of the newest undamaged checkpoint; CheckpointError if there is none.

    A file is read whole, because its content shows damage. mmengine's ``last_checkpoint`` file
    holds an absolute path, and is missing after some kills.
    """
    for _, _, path in reversed(saved_checkpoints(folder)):
        try:
            return path, load_checkpoint_safely(path)
        except CheckpointError as error:
            print_log(f'{error}: looking for an older one', 'current', logging.WARNING)
    if count := len(_saved_files(folder)):
        raise CheckpointError(
            f'{folder}: none of its {count} checkpoints is whole: give --resume another one, '
            'or delete them to train from the beginning'
        )
    raise CheckpointError(f'{folder}: no checkpoint in this folder, give the path of one')


def saved_checkpoints(folder: str | os.PathLike[str]) -> list[tuple[int, int, str]]:
    """List the readable checkpoints that training has saved in a folder, oldest first.

    The order is that of the training's starts in this folder, then of its iterations: a clock may
    be set back or show another time zone. A checkpoint without a count of starts counts as 0.

    Returns:
        Starts, iterations and path of each checkpoint.
    """
    saved = []
    for path in _saved_files(folder):
        try:
            with reading(path, 'skipped', CheckpointError):
                meta = conform(_load_as_data(path, 'cpu', mmap=True)['meta'], Meta, 'meta')
                saved.append((meta.get(STARTS, 0), meta['iter'], path))
        except CheckpointError as error:
            print_log(str(error), 'current', logging.WARNING)
    return sorted(saved)


def _saved_files(folder: str | os.PathLike[str]) -> list[str]:
    return [str(path) for path in Path(folder).glob(f'*{CHECKPOINT}') if _SAVED.match(path.name)]


def load_checkpoint_safely(path: str | os.PathLike, map_location: MapLocation = 'cpu') -> Any:
    """Load a local checkpoint without running any code that it may contain.

    Loads weights, and the numpy values and log history of mmengine's resume files. Drops
    ``meta.config``, which ``Runner.resume`` would execute as a Python file; mmengine itself writes
    ``meta.cfg``, which is only text.
    """
    path = os.path.expanduser(os.fspath(path))
    with reading(path, 'check the path, or copy, download or train it again', CheckpointError):
        if path.endswith(MODEL):
            return read_safetensors(path)[0]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(part.file_size for part in archive.infolist()) > os.path.getsize(path):
                    raise ValueError('its parts are compressed or overlap, save it by torch.save()')
                if damaged := archive.testzip():
                    raise ValueError(f'damaged, the checksum of {damaged} is wrong')
        try:
            checkpoint = _load_as_data(path, map_location)
        except pickle.UnpicklingError as error:
            raise CheckpointError(
                f'{path}: refused, it holds more than weights{_culprit(error)} and loading that '
                'could run code; save its state_dict alone where you trust it'
            ) from error
        if not isinstance(checkpoint, dict):
            raise ValueError('it holds no weights')
        conform(checkpoint.get('meta', {}), Meta, 'meta')
        checkpoint.get('meta', {}).pop('config', None)
        return checkpoint


def _load_as_data(path: str, map_location: MapLocation, mmap: bool | None = None) -> Any:
    with open(path, 'rb') as file:
        start = file.read(2)
    # On a text or a web page an unpickler fails as on code, or with a meaningless error.
    if not start.startswith((b'PK', b'\x80')):  # a zip archive, or a pickle
        raise ValueError('it is not a checkpoint')
    if start == b'PK' and not zipfile.is_zipfile(path):
        raise ValueError('the file is cut, its end is missing')
    allowed: list[Any] = [(value, name) for name, value in allowed_objects().items()]
    with torch.serialization.safe_globals(allowed):
        content = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    waiting, count = [content.get('meta') if isinstance(content, dict) else None], 0
    while waiting:  # in a pickle one list may stand in many places, or in itself
        part, count = waiting.pop(), count + 1
        if isinstance(part, (dict, list, tuple)):
            waiting += part.values() if isinstance(part, dict) else part
        if count + len(waiting) > MOST_PARTS:
            raise ValueError(f'its meta has more than {MOST_PARTS} parts')
    return content


@cache
def allowed_objects() -> dict[str, Any]:
    """Objects that a checkpoint may hold beside tensors, as {name in the pickle: object}.

    These are the log history and the numpy values of mmengine's resume files, by the names of
    numpy 1 and 2.
    """
    functions = [np.zeros(0).__reduce__()[0], np.float32(0).__reduce__()[0]]
    allowed: dict[str, Any] = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        # Log histories name their statistics as getattr(HistoryBuffer, 'mean').
        'builtins.getattr': _history_statistic,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
    }
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed.update({f'{module}.{function.__name__}': function for function in functions})
    # A dtype is rebuilt as an instance of its own class, which torch looks up by type.
    for code in ('?', 'b', 'B', 'h', 'H', 'i', 'I', 'l', 'L', 'e', 'f', 'd', 'U', 'S'):
        dtype_class = type(np.dtype(code))
        allowed[f'{dtype_class.__module__}.{dtype_class.__name__}'] = dtype_class
    return allowed


def _history_statistic(owner: Any, name: str) -> Callable:
    """Replacement for ``getattr`` that gives the statistics of a log history and nothing else."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        # In torch's words, in which _culprit finds the name.
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr {name} is not allowed')
    return getattr(HistoryBuffer, name)


def _culprit(error: pickle.UnpicklingError) -> str:
    """Find the object's name in the unpickler's message."""
    match = re.search(r'GLOBAL (\S+(?: [\w.]+)?) (?:was|is) not', str(error))
    return f' ({match.group(1)})' if match else ''


def read_safetensors(path: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the weights and the metadata of a .safetensors file."""
    from safetensors import safe_open

    with reading(path, PUBLISH, CheckpointError), safe_open(path, framework='pt') as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def read_state_dict(
    path: str | os.PathLike[str], loaded: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """Read weights by name from ``.safetensors`` or a torch file, never running code.

    Unpacks an enclosing ``state_dict`` or ``model`` and strips the prefix ``module.``. Refuses
    weights that are not finite.

    Args:
        loaded: Its content, if :func:`load_checkpoint_safely` has read it already.
    """
    path = os.fspath(path)
    with reading(path, 'download or train it again', CheckpointError):
        state: Any = load_checkpoint_safely(path) if loaded is None else loaded
        for key in ('state_dict', 'model'):
            state = state[key] if isinstance(state.get(key), Mapping) else state
        if not state or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError('it holds no state dict, save the network with state_dict()')
        parts = [value.untyped_storage() for value in state.values()]
        held = {part.data_ptr(): part.nbytes() for part in parts}
        if sum(value.nbytes for value in state.values()) > MOST_TIES * sum(held.values()):
            raise ValueError('its weights are many times as large as the file')
        weights: dict[str, Tensor] = {}
        for name, value in state.items():
            if not isinstance(name, str) or len(name) > LONGEST_NAME or CONTROL.search(name):
                raise ValueError(f'a weight has the name {shown(name)}')
            if not value.isfinite().all():
                raise ValueError(f'the weight {name} is not finite')
            if (bare := name.removeprefix('module.')) in weights:
                raise ValueError(f'the weight {bare} is there twice, also with the prefix module')
            weights[bare] = value
        return weights


def parse_card(metadata: Mapping[str, str], path: str) -> Card | None:
    """Read the card in the metadata of a published file; None without one.

    Raises:
        CheckpointError: It is not a card.
    """
    if CARD_KEY not in metadata:
        return None
    with reading(path, PUBLISH, CheckpointError):
        return conform(parse_json(metadata[CARD_KEY]), Card, 'its card')
