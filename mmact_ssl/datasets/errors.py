"""Errors that the data sets raise and handle."""

from __future__ import annotations

from mmact_ssl.errors import DataError


class BrokenSampleError(DataError):
    """A video or clip that cannot give a sample: unreadable, empty or too short.

    ``SeededSamples`` replaces such a sample by another and notes the reason; everything else
    that goes wrong in a pipeline is a mistake of the configuration and stops the run.

    Args:
        filename: The file at fault.
        reason: What is wrong with it, in a few words.
    """

    def __init__(self, filename: str, reason: str) -> None:
        # Both go to the base class: an exception crosses from a worker process by being pickled.
        super().__init__(filename, reason)
        self.filename = filename
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.filename}: {self.reason}'
