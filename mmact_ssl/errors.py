"""Errors whose message is one line for the user: what is at fault and how to fix it."""

from __future__ import annotations

import errno
import importlib
import os
import re
import signal
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


# Errors that are clear as they are, or no mistake of a config.
CLEAR = (MMActSSLError, OSError, MemoryError)


def reason_of(error: BaseException) -> str:
    """One-line message of any error, with its type unless the message is clear without it."""
    if 'Original Traceback' in str(error):  # torch's, of an error in a data loader's worker
        return shorten(last_line(error), 300)
    text = shorten(' '.join(str(error).split()), 300)
    if isinstance(error, KeyError):
        return text.strip('\'"') if ' ' in text else f'{text} is missing'
    is_plain = isinstance(error, (MMActSSLError, OSError, ValueError, ImportError))
    return text if text and is_plain else f'{type(error).__name__}: {text}'.rstrip(': ')


def config_mistake(
    place: Any, error: BaseException, fix: str = 'correct the config, or the part of yours'
) -> ConfigError:
    """The error of a config, or of a part of the user's, that fails before the first step."""
    return ConfigError(f'{place}: {reason_of(error)}: {fix}; MMACT_SSL_TRACEBACK=1 shows the line')


def last_line(error: BaseException) -> str:
    """Last line of a message: that of a data loader's worker has a traceback before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r'^mmact_ssl(\.\w+)+: ', '', lines[-1]) if lines else type(error).__name__


@contextmanager
def one_line_errors(after_stop: str = 'the same command goes on') -> Iterator[None]:
    """End a command-line tool with one line on stderr for errors meant for users.

    These are :class:`MMActSSLError` and errors of the operating system, such as a full disk. The
    exit status is 2 for a mistake in the config or the options, 130 after Ctrl-C, else 1; 75 is for
    a training that a signal has stopped, see :class:`StopSignalHook`. Any other error is a bug and
    keeps its traceback, as all errors do with ``MMACT_SSL_TRACEBACK`` or inside another tool.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # workers end, files close
    if before is signal.default_int_handler:
        yield
        return
    try:
        yield
        sys.stdout.flush()  # or a full disk would show when the interpreter ends
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(128 + signal.SIGPIPE) from None
    except KeyboardInterrupt:
        if os.environ.get('MMACT_SSL_TRACEBACK'):
            raise
        print(f'interrupted: {after_stop}', file=sys.stderr)
        raise SystemExit(130) from None
    except (MMActSSLError, OSError) as error:
        if os.environ.get('MMACT_SSL_TRACEBACK'):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what could not be printed is lost
        line = ''.join(letter if letter.isprintable() else '?' for letter in last_line(error))
        end = SystemExit(f'error: {line[:1000]}')
        if isinstance(error, ConfigError):
            print(end, file=sys.stderr)
            end.code = 2
        raise end from None
    finally:
        signal.signal(signal.SIGTERM, before)


def import_extra(module: str, what: str, extra: str = 'teachers') -> Any:
    """Import an optional package, or give the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{what} needs {module}: pip install 'mmact_ssl[{extra}]' ({error})"
        ) from error
