"""Open an ONNX file, for the teachers that run one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmact_ssl.errors import ConfigError


def open_session(model: str, what: str, num_threads: int, providers: Sequence[str]) -> Any:
    """Open an ``onnxruntime.InferenceSession``.

    Args:
        model: The ONNX file.
        what: Names the teacher in errors.
        num_threads: Threads of onnxruntime.
        providers: Execution providers, e.g. ('CUDAExecutionProvider',).

    Raises:
        ConfigError: onnxruntime is not installed, lacks a provider or cannot read the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f'{what} needs onnxruntime: pip install onnxruntime') from error
    available = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in available]
    if missing:
        raise ConfigError(
            f'onnxruntime has no {missing[0]} ({what}), it has {available}: set providers, or '
            'pip install onnxruntime-gpu'
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model, options, list(providers))
    except Exception as error:  # onnxruntime's own have no public base
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f'{model}: onnxruntime cannot run it ({reason}), see {what}') from error
