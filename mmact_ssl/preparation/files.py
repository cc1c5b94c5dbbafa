"""What every preparation shares: checking sources, probing and copying videos, writing lists."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
from rich.progress import track

from mmact_ssl.errors import DataError

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm')
PLACEMENTS = ('copy', 'link')


def data_root() -> Path:
    """Folder of all data sets: ``$MMACT_SSL_DATA``, else ``data``."""
    return Path(os.environ.get('MMACT_SSL_DATA', 'data'))


def require(path: Path, fix: str) -> Path:
    """Return ``path``.

    Raises:
        DataError: if there is nothing at ``path``; the message ends with ``fix``.
    """
    if not path.exists():
        kind = 'file' if path.suffix else 'folder'
        raise DataError(f'{path}: no such {kind}; {fix}')
    return path


def probe_video(path: Path | str) -> str:
    """Open a video and decode its first frame.

    Returns:
        str: '' if at least two frames can be expected, else the reason why the file is of no use.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return 'no video stream'
            if next(container.decode(video=0), None) is None:
                return 'no frame'
            # One packet may already be buffered by the decoder, so count from the start.
            container.seek(0)
            packets = (packet for packet in container.demux(video=0) if packet.size)
            if next(packets, None) is None or next(packets, None) is None:
                return 'fewer than 2 frames'
    except (av.FFmpegError, OSError, EOFError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        return f'does not open: {reason}'
    return ''


def probe_videos(paths: Sequence[Path], workers: int = 4) -> dict[Path, str]:
    """Reasons of the videos in ``paths`` that cannot be used, by path; see :func:`probe_video`."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        reasons = track(pool.map(probe_video, paths), 'checking videos', total=len(paths))
        return {path: reason for path, reason in zip(paths, reasons) if reason}


def place_video(source: Path, target: Path, placement: str = 'copy') -> None:
    """Put ``source`` at ``target``: a byte-identical copy, or a symbolic link.

    Raises:
        ValueError: if ``placement`` is neither 'copy' nor 'link'.
    """
    if placement not in PLACEMENTS:
        raise ValueError(f'placement {placement!r}: choose one of {", ".join(PLACEMENTS)}')
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        if target.resolve() == source.resolve() and not target.is_symlink():
            return  # prepared in place
        target.unlink()
    if placement == 'link':
        target.symlink_to(source.resolve())
    else:
        # Contents only: a read-only source would otherwise make a data folder nobody can renew.
        shutil.copyfile(source, target)


def read_annotation(path: Path) -> list[tuple[str, int]]:
    """Read lines ``relative/path.mp4 label``.

    Raises:
        DataError: if the file is empty or a line is not of that form.
    """
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(' ')
        if not name or not label.isdigit():
            raise DataError(f'{path}:{number}: {line.strip()!r} is not "path label"')
        entries.append((name, int(label)))
    if not entries:
        raise DataError(f'{path}: no entries; fetch the data set again')
    return entries


def write_annotation(path: Path, entries: Iterable[tuple[str, int | None]]) -> None:
    """Write lines ``path label``, or ``path`` alone where the label is None."""
    lines = (name if label is None else f'{name} {label}' for name, label in entries)
    write_lines(path, lines)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write ``lines``, each ended by a newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))


def report_left_out(out: Path, left_out: dict[str, str]) -> None:
    """Write ``left_out.txt`` (``path<TAB>reason``) and print the first of them."""
    write_lines(out / 'left_out.txt', (f'{name}\t{why}' for name, why in left_out.items()))
    for name, why in list(left_out.items())[:10]:
        print(f'left out: {name}: {why}')
    if len(left_out) > 10:
        print(f'left out: {len(left_out) - 10} more, see {out / "left_out.txt"}')
