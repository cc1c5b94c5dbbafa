"""The list of videos that could not be decoded, beside a cache."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from mmact_ssl.io.files import write_atomically
from mmact_ssl.targets.cache import TargetReader


def broken_listing(path: str | os.PathLike[str]) -> Path:
    """Path of the list beside a cache of the videos that could not be decoded."""
    return Path(f'{os.fspath(path)}.broken.txt')


def read_broken(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return {video: reason} for the broken videos listed beside a cache."""
    listing = broken_listing(path)
    text = listing.read_text('utf-8') if listing.is_file() else ''
    # As in annotation files, only a line break ends a name.
    rows = (line.rpartition('\t') for line in text.split('\n'))
    return {key: reason for key, _, reason in rows if key}


def list_broken(out: Path, keys: Collection[str], broken: Mapping[str, str]) -> None:
    """Write the list of broken videos beside a cache.

    It contains ``broken``, the broken videos among ``keys``. Earlier entries of other videos stay
    as long as the cache lacks these.
    """
    others = {key: reason for key, reason in read_broken(out).items() if key not in keys}
    present = TargetReader(out).source_hashes(others)
    listed = {key: others[key] for key in others if key not in present} | dict(broken)
    if listed:
        lines = ''.join(f'{key}\t{reason}\n' for key, reason in listed.items())
        write_atomically(broken_listing(out), lines)
    else:
        broken_listing(out).unlink(missing_ok=True)
