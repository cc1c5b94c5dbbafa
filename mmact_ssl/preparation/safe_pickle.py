"""Reader of annotation pickles that loads data (arrays, containers, texts, numbers), never code."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.errors import DataError, reason_of
from mmact_ssl.preparation.files import require

# Numpy kinds of numbers and text. Objects are pickles themselves; structures are not needed.
PLAIN_KINDS = 'biufUS'


def load_plain_pickle(path: Path) -> Any:
    """Load a pickle of dict, list, tuple, set, str, bytes, numbers and numpy arrays of these.

    A pickle names the functions that rebuild its objects, and Python calls any function it names.
    This reader looks every name up in a short table of this module's own functions, and refuses
    other names before importing anything. numpy's functions are not in the table either: a forged
    dtype could make them read foreign memory.
    """
    require(path, 'point --source at an annotation pickle')
    try:
        with path.open('rb') as file:
            return _PlainUnpickler(file).load()
    except _RefusedError as error:
        raise DataError(
            f'{path}: refused, it holds {error}, and loading that could run code; save it without'
        ) from None
    except Exception as error:  # a damaged pickle may raise almost any
        raise DataError(
            f'{path}: not a whole pickle ({reason_of(error)}); fetch it again'
        ) from error


class _RefusedError(Exception):
    """The pickle names a function that is not in the table."""


class _Dtype:
    """Substitute for a numpy dtype in a pickle; it takes a plain code and a byte order only."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str):
            raise _RefusedError('an array of a dtype without a plain code')
        dtype = np.dtype(code)
        if dtype.kind not in PLAIN_KINDS:
            raise _RefusedError(f'an array of dtype {dtype}')
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        order, inner = state[1], state[2:5]  # inner: subarray, names and fields of a structure
        if any(part is not None for part in inner):
            raise _RefusedError('an array of a structured dtype')
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Array that accepts only as many bytes as its shape and dtype need."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Array:
        # Pickles make arrays by _reconstruct; the constructor could read any buffer.
        raise _RefusedError('a call of numpy.ndarray')

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, content = state
        array = _from_bytes(content, dtype, shape, 'F' if is_fortran else 'C')
        checked: Any = (1, array.shape, array.dtype, False, array.tobytes())
        super().__setstate__(checked)


def _from_bytes(content: bytes, dtype: _Dtype, shape: tuple, order: str = 'C') -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise _RefusedError('an array without a plain dtype')
    # frombuffer and reshape check the sizes.
    return np.frombuffer(bytes(content), dtype.dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _encode(text: str, encoding: str) -> bytes:
    # Protocols 0 to 2 write bytes as latin-1 text.
    if encoding != 'latin1':
        raise _RefusedError(f'text in the encoding {encoding!r}')
    return text.encode('latin1')


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler that looks names up in TABLE instead of importing them."""

    TABLE: dict[tuple[str, str], Callable] = {
        ('_codecs', 'encode'): _encode,
        ('collections', 'OrderedDict'): collections.OrderedDict,
        ('numpy', 'dtype'): _Dtype,
        ('numpy', 'ndarray'): _Array,
        **{
            (f'numpy.{core}.{module}', name): function
            for core in ('core', '_core')
            for module, name, function in (
                ('multiarray', '_reconstruct', lambda *_: np.empty(0, np.uint8).view(_Array)),
                ('multiarray', 'scalar', lambda kind, raw: _from_bytes(raw, kind, (1,))[0].item()),
                ('numeric', '_frombuffer', _from_bytes),
            )
        },
        **{
            (module, kind.__name__): kind
            for module in ('builtins', '__builtin__')
            for kind in (bytes, bytearray, complex, frozenset, set)
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.TABLE:
            raise _RefusedError(f'{module}.{name}')
        return self.TABLE[module, name]
