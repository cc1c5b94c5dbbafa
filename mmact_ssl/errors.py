"""Errors whose message is one line for the user: what is at fault and how to mend it."""

from __future__ import annotations


class MMActSSLError(RuntimeError):
    """Base of the errors that command-line tools print as one line instead of a traceback."""


class DataError(MMActSSLError):
    """A data folder, annotation, video or target cache is missing or broken."""


class CheckpointError(MMActSSLError):
    """A checkpoint is missing, does not fit the model, or is refused as unsafe."""


class ConfigError(MMActSSLError):
    """A config asks for something that does not exist or cannot be combined."""
