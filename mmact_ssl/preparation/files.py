"""Steps shared by the preparations: finding, probing and placing files, writing lists."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import Path as ZipPath

import av
import numpy as np
from rich.progress import track

from mmact_ssl.datasets.frame_conversion import VideoError, shown_stream
from mmact_ssl.datasets.prepared_folder import CLASS_NAMES, FLIP, why_not_flip
from mmact_ssl.datasets.shards import open_video
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import CONTROL, irregular, open_archive, path_inside, write_atomically

# Suffixes of video files that FFmpeg reads.
_VIDEO_NAMES = """
mp4 mov avi mkv webm m4v mpg mpeg mpe m1v m2v m2p mpv vob evo ts mts m2ts m2t trp mod tod wmv asf
flv f4v 3gp 3g2 3gpp qt mj2 ogv ogm ogg divx xvid dv dif mxf gxf nut rm rmvb wtv ivf y4m h264 264
avc h265 265 hevc h263 vc1 obu av1 mjpg mjpeg amv mk3d fli flc gif apng
"""
VIDEO_SUFFIXES = tuple(f'.{name}' for name in _VIDEO_NAMES.split())
LONG = 3  # windows; a longer file is a recording


def data_root() -> Path:
    """Folder of all data sets: ``$MMACT_SSL_DATA``, else ``data``."""
    return Path(os.environ.get('MMACT_SSL_DATA', 'data'))


def require(path: Path, fix: str) -> Path:
    """Return ``path``; if nothing is there, raise a DataError that ends with ``fix``."""
    if reason := irregular(path):
        raise DataError(f'{path}: {reason}')
    if not path.exists():
        kind = 'file' if path.suffix else 'folder'
        raise DataError(f'{path}: no such {kind}; {fix}')
    return path


def text_files(
    source: Path, name: re.Pattern[str], suffix: str, fix: str
) -> Iterator[tuple[re.Match[str], Callable[[], str]]]:
    """Find the text files called ``name`` + ``suffix`` without unpacking anything.

    Args:
        source: A zip archive; or a folder with such files at any depth, or else with zip archives
            that contain them.
        name: Pattern of the whole name without the suffix; other files are ignored.
        suffix: Such as ``'.json'``.
        fix: End of the error message if there is no such file.

    Yields:
        tuple: Match of the name, and a function that returns the text, sorted by path in each
        archive. Call it before the next file; of a damaged one it may raise almost any error.
    """
    require(source, fix)
    is_found = False
    if source.is_dir():
        for file in files_below(source):
            if file.suffix == suffix and (match := name.fullmatch(file.stem)):
                is_found = True
                yield match, partial(file.read_text, encoding='utf-8')
    archives = [] if is_found else sorted(source.glob('*.zip')) if source.is_dir() else [source]
    for archive in archives:
        with open_archive(archive, 'fetch it again') as members:
            for member in sorted(members.namelist()):
                path = PurePosixPath(member)
                if path.suffix == suffix and (match := name.fullmatch(path.stem)):
                    is_found = True
                    yield match, partial(ZipPath(members, member).read_text, encoding='utf-8')
    if not is_found:
        raise DataError(f'{source}: no {suffix} file of the set in this folder or archive; {fix}')


def files_below(folder: Path, unread: dict[Path, str] | None = None) -> list[Path]:
    """All files below a folder, sorted. It follows links to folders and enters each folder once.

    Args:
        unread: Dict to fill with {path: reason} of folders that cannot be read, and of links and
            other entries that are no files. None: such a path is a DataError.
    """
    files: list[Path] = []
    entered: set[str] = set()
    unreadable: dict[Path, str] = {}

    def add_unreadable(error: OSError) -> None:
        unreadable[Path(os.fsdecode(error.filename))] = f'cannot be read ({error.strerror})'

    tops = [os.fspath(folder)]
    for top in tops:  # it grows: targets of links come last, so that a folder keeps its own name
        for root, folders, names in os.walk(top, onerror=add_unreadable):
            if (real := os.path.realpath(root)) in entered:
                folders.clear()
                continue
            entered.add(real)
            folders.sort()
            paths = (os.path.join(root, name) for name in folders)
            tops += [path for path in paths if os.path.islink(path)]
            for name in names:
                path = Path(root, name)
                if os.path.isfile(path):
                    files.append(path)
                elif not name.startswith('.'):  # editors lock files by broken links
                    unreadable[path] = _why_no_file(path)
    if unread is not None:
        unread.update(sorted(unreadable.items()))
    elif unreadable:
        first = min(unreadable)
        raise DataError(f'{first} {unreadable[first]}: make it readable, or take it away')
    return sorted(files)


def _why_no_file(path: Path) -> str:
    try:
        os.stat(path)
    except OSError as error:
        target = f'links to {os.readlink(path)}, which ' if path.is_symlink() else ''
        return f'{target}cannot be read ({error.strerror})'
    return 'is not a file'


def outside(paths: Collection[Path], folder: Path) -> list[Path]:
    """Choose the paths that do not lie in a folder, whatever links lead there."""
    target = folder.resolve()
    parents = {path.parent for path in paths}
    inside = {parent for parent in parents if parent.resolve().is_relative_to(target)}
    return [path for path in paths if path.parent not in inside]


def choose_files(
    folder: Path, suffixes: Collection[str]
) -> tuple[list[Path], dict[Path, str], str]:
    """Choose the files below a folder with one of the suffixes, and report the others.

    Returns:
        The files, sorted; {path: reason} of folders and links that cannot be read; and a line that
        counts the other files by suffix, '' if there are none.
    """
    unread: dict[Path, str] = {}
    files = files_below(folder, unread)
    others = Counter(
        CONTROL.sub('?', file.suffix.lower()) or 'without a suffix'
        for file in files
        if file.suffix.lower() not in suffixes and not file.name.startswith('.')
    )
    ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    counts = [f'{count} {suffix}' for suffix, count in ranked[:9]]
    if more := sum(count for _, count in ranked[9:]):
        counts.append(f'{more} others')
    line = f'{folder}: files that are not read, by their suffix: {", ".join(counts)}'
    return [f for f in files if f.suffix.lower() in suffixes], unread, line if counts else ''


def find_videos(source: Path, out: Path, fix: str) -> tuple[list[Path], dict[Path, str]]:
    """Videos below ``source``, but not in ``out``; and {path: reason} of what cannot be read."""
    videos_below, unread, others = choose_files(source, VIDEO_SUFFIXES)
    videos = outside(videos_below, out)
    left_out = {path: unread[path] for path in outside(unread, out)}
    if videos_below and not videos:
        inside = f'its {len(videos_below)} videos are left out, because they lie in --out {out}'
        raise DataError(f'{source}: {inside}: give an --out beside the source')
    if not videos:
        why = others or next((f'{path} {why}' for path, why in left_out.items()), 'it is empty')
        raise DataError(f'{source}: no video below this folder ({why}); {fix}')
    if others:
        print(others.encode(errors='backslashreplace').decode())
    return videos, left_out


def probe_video(path: Path | str) -> str:
    """Return the reason why a video is unusable; '' if it opens and has at least two frames."""
    try:
        with open_video(path) as container:
            frames = container.decode(shown_stream(container))
            if len([*islice(frames, 2)]) < 2:
                return 'fewer than 2 frames'
    except (av.FFmpegError, VideoError, OSError, EOFError) as error:
        return f'does not open: {getattr(error, "strerror", None) or error}'
    return ''


def probe_videos(paths: Sequence[Path]) -> dict[Path, str]:
    """Return {path: reason} of the unusable videos."""
    return find_failures(probe_video, paths, 'checking videos', workers=4)


def length_of(path: Path | str) -> float:
    """Seconds of a video by its header, or else by its frames; 0 if it cannot be read."""
    try:
        with open_video(path) as container:
            if container.duration:
                return container.duration / av.time_base
        with VideoReader(path) as reader:
            return reader.duration
    except (av.FFmpegError, OSError, DataError):
        return 0.0


def are_recordings(lengths: np.ndarray, limit: float) -> bool:
    """True if more than half of the material is in files longer than ``limit``, in seconds."""
    return bool(lengths[lengths > limit].sum() > lengths.sum() / 2)


def count_windows(seconds: float, window: float) -> int:
    """Windows of a video; 1, the whole video, up to ``LONG`` windows, or if ``window`` is 0.

    The last one is half as long to one and a half times as long as ``window``, in seconds.
    """
    if not window >= 0:
        raise ConfigError(f'--window {window}: give seconds, or 0 for whole files')
    return round(seconds / window) if window and seconds > LONG * window else 1


def find_failures(
    work: Callable[[Path], str], paths: Sequence[Path], title: str, workers: int
) -> dict[Path, str]:
    """Do some work on each file in threads; return the reasons that it gives where it fails."""
    with ThreadPoolExecutor(workers) as pool:
        reasons = track(pool.map(work, paths), title, total=len(paths))
        # The bar is zip's first argument: zip asks it once more, which completes the bar.
        return {path: why for why, path in zip(reasons, paths) if why}


class Video(NamedTuple):
    """A video to place: its source file, its name below the prepared folder, its label."""

    source: Path
    name: str
    label: int | None


def write_videos(
    source: Path,
    out: Path,
    splits: Mapping[str, Sequence[Video]],
    classes: Sequence[str],
    left_out: Mapping[Path, str],
    placement: str,
) -> dict[str, int]:
    """Place videos and write ``SPLIT.txt``, ``classes.txt`` (if given) and ``left_out.txt``.

    ``left_out`` is {path below source: reason}. Without a ``placement`` the videos lie there
    already. Returns the number of videos per split and of those left out.
    """
    videos = [video for listed in splits.values() for video in listed]
    for video in track(videos, f'{placement} videos') if placement else ():
        place_video(video.source, path_inside(out, video.name, 'the list of videos'), placement)
    for split, listed in splits.items():
        write_annotation(out / f'{split}.txt', ((video.name, video.label) for video in listed))
    (out / CLASS_NAMES).unlink(missing_ok=True)
    if classes:
        write_lines(out / CLASS_NAMES, classes)
    report_left_out(out, {p.relative_to(source).as_posix(): why for p, why in left_out.items()})
    counts = {split: len(listed) for split, listed in splits.items()}
    return {**counts, 'left_out': len(left_out)}


def write_usable_videos(
    source: Path,
    out: Path,
    splits: Mapping[str, Sequence[Video]],
    classes: Sequence[str],
    placement: str,
) -> dict[str, int]:
    """Write the videos below ``source`` that are usable, see :func:`write_videos`.

    Raises:
        DataError: A video comes twice in the lists, or its label has no class.
    """
    listed_in: dict[str, str] = {}
    for split, listed in splits.items():
        for _, name, label in listed:
            if first := listed_in.get(name):
                raise DataError(f'{source}: {name} is in {first} and again in {split}; keep one')
            listed_in[name] = split
            if label is None or not 0 <= label < len(classes):
                raise DataError(f'{source}: label {label} of {name} has no class; correct the list')
    left_out = probe_videos([video.source for listed in splits.values() for video in listed])
    usable = {
        split: [video for video in listed if video.source not in left_out]
        for split, listed in splits.items()
    }
    return write_videos(source, out, usable, classes, left_out, placement)


def classes_by_number(numbers: Mapping[str, int], source: Path) -> list[str]:
    """Sort the classes ``{name: label}`` by label; DataError unless these are 0, 1, ..."""
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise DataError(f'{source}: its classes are not numbered 0, 1, ...; fetch it again')
    return sorted(numbers, key=numbers.__getitem__)


def place_video(source: Path, target: Path, placement: str = 'copy') -> None:
    """Put ``source`` at ``target``: a byte-identical 'copy', or a symbolic 'link'."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        places = {path.parent.resolve() / path.name for path in (source, target)}
        if len(places) == 1 or (target.resolve() == source.resolve() and not target.is_symlink()):
            return  # prepared in place
        target.unlink()
    if placement == 'link':
        target.symlink_to(source.resolve())
    else:
        # Contents only: the read-only copy of a read-only source could not be replaced later.
        shutil.copyfile(source, target)


def write_annotation(path: Path, entries: Iterable[tuple[str, int | None]]) -> None:
    """Write lines ``path label``, or ``path`` if the label is None."""
    write_lines(path, (name if label is None else f'{name} {label}' for name, label in entries))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write ``lines``, each with a newline at its end; breaks inside become blanks."""
    text = ''.join(f'{" ".join(line.splitlines())}\n' for line in lines)
    write_atomically(path, text.encode(errors='backslashreplace'))


def write_flip(folder: Path, flip: bool | None) -> None:
    """Store a user's choice, None for none, and print why no clip is mirrored."""
    (folder / FLIP).unlink(missing_ok=True)
    if flip is not None:
        write_atomically(folder / FLIP, str(flip).lower())
    if why := why_not_flip(folder):
        print(f'{folder}: {why}')


def report_left_out(out: Path, left_out: Mapping[str, str]) -> None:
    """Write ``left_out.txt`` (``path<TAB>reason``) and print the first ten lines."""
    write_lines(out / 'left_out.txt', (f'{name}\t{why}' for name, why in left_out.items()))
    for name, why in list(left_out.items())[:10]:
        print(f'left out: {name}: {why}'.encode(errors='backslashreplace').decode())
    if len(left_out) > 10:
        print(f'left out: {len(left_out) - 10} more, see {out / "left_out.txt"}')
