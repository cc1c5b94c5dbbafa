"""Errors whose message is one line for the user: what is at fault and how to fix it."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten
from typing import Any


class MMActSSLError(RuntimeError):
    """Base of the errors that command-line tools print as one line instead of a traceback."""


class DataError(MMActSSLError):
    """A data folder, annotation, video or target cache is missing or broken."""


class BrokenSampleError(DataError):
    """A video or clip that cannot give a sample: unreadable, empty or too short.

    The data sets replace such a sample by another and record the reason. Any other error in a
    pipeline is a mistake of the configuration and stops the run.

    Args:
        reason: The fault, in a few words; '' if ``filename`` is the whole message.
    """

    def __init__(self, filename: str, reason: str = '') -> None:
        # The base class gets both, because worker processes pickle their exceptions. torch rebuilds
        # the exception of a data loader's worker from its text alone.
        super().__init__(filename, reason)
        self.filename = filename
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.filename}: {self.reason}' if self.reason else self.filename


class CheckpointError(MMActSSLError):
    """A checkpoint is missing, does not fit the model, or is refused as unsafe."""


class TrainingError(MMActSSLError):
    """A training has diverged, or cannot go on."""


class ConfigError(MMActSSLError):
    """A config asks for something that does not exist or cannot be combined."""


class KindError(ConfigError):
    """A config for videos is given a folder of skeletons, or the other way round."""


# End of a message about a mistake in the user's own code, whose place it does not tell.
SHOW_PLACE = 'MMACT_SSL_TRACEBACK=1 shows the line'


def reason_of(error: BaseException) -> str:
    """One-line message of any error, with its type unless the message is clear without it."""
    if 'Original Traceback' in str(error):  # torch's, of an error in a data loader's worker
        return shorten(last_line(error), 300)
    text = shorten(' '.join(str(error).split()), 300)
    if isinstance(error, KeyError):
        return text.strip('\'"') if ' ' in text else f'{text} is missing'
    is_plain = isinstance(error, (MMActSSLError, OSError, ValueError, ImportError))
    return text if text and is_plain else f'{type(error).__name__}: {text}'.rstrip(': ')


def last_line(error: BaseException) -> str:
    """Last line of a message: that of a data loader's worker has a traceback before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r'^mmact_ssl(\.\w+)+: ', '', lines[-1]) if lines else type(error).__name__


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End a command-line tool with one line on stderr for errors meant for users.

    These are :class:`MMActSSLError` and errors of the operating system, such as a missing file or a
    full disk. The exit status is 2 for a mistake in the config or the options, 130 after Ctrl-C,
    else 1; 75 is for a training that a signal has stopped, see :class:`StopSignalHook`. Any other
    error is a bug and keeps its traceback; with ``MMACT_SSL_TRACEBACK`` set all errors keep it.
    """
    try:
        yield
    except KeyboardInterrupt:
        if os.environ.get('MMACT_SSL_TRACEBACK'):
            raise
        print('interrupted', file=sys.stderr)
        raise SystemExit(130) from None
    except (MMActSSLError, OSError) as error:
        if os.environ.get('MMACT_SSL_TRACEBACK'):
            raise
        end = SystemExit(f'error: {last_line(error)}')
        if isinstance(error, ConfigError):
            print(end, file=sys.stderr)
            end.code = 2
        raise end from None


def import_extra(module: str, what: str, extra: str = 'teachers') -> Any:
    """Import an optional package, or give the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{what} needs {module}: pip install 'mmact_ssl[{extra}]' ({error})"
        ) from error
