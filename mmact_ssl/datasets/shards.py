"""Videos in tar shards, in WebDataset's form, on a disk or a server.

A video's path is its shard's path, ``/`` and its name in the shard:
``shards/train-000007.tar/a/b.mp4``, ``https://host/x.tar/b.mp4``, ``s3://bucket/x.tar/b.mp4``.
Every file system of fsspec that can read ranges works. A path is an address only if the root in the
config is one, see :func:`mmact_ssl.io.files.video_path`. The index of a shard, ``x.tar.json`` with
``{name: [offset, size]}``, is read once; without an index, the headers of all its members. Reading
a video then reads one range.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
import tarfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import av
import fsspec
from tqdm import tqdm

from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError, reason_of
from mmact_ssl.io.files import irregular, is_remote, video_path
from mmact_ssl.io.schema import Count, parse_json

INDEX = '.json'  # after the name of the shard
SHARDS_KNOWN = 64  # shards whose indexes a process keeps in memory, some 100 kB each
TIMEOUT = 30  # seconds without an answer of an HTTP server; aiohttp's own limit is five minutes
PAUSES = 1, 5  # seconds before the second and the third attempt
END_BYTES = 1 << 16  # of each end of a video that its hash reads
HASHED_AT_ONCE = 16  # videos; a disk or file server answers several reads at once
_END = re.compile(r'(?<=.\.tar)/(?=.)')  # of a shard's path

# FFmpeg then completes a poor header without decoding frames. Before PyAV 18 any option crashes the
# process on files whose streams appear after the header, such as MPEG program streams.
_OPEN_OPTIONS = {'skip_frame': 'all'} if int(av.__version__.split('.')[0]) >= 18 else {}

# A playlist or a session description must not open network addresses.
_FILES_ALONE = {'protocol_whitelist': 'file'}

Result = TypeVar('Result')
Members = dict[str, tuple[int, int]]  # offset and size of each file


def open_video(path: str | os.PathLike[str]) -> Any:
    """Open a file, or a video in a shard, with PyAV, even if its texts are not UTF-8.

    Raises:
        BrokenSampleError: The shard cannot be read, or the path is not a regular file.
    """
    path = os.fspath(path)
    if reason := irregular(path):
        raise BrokenSampleError(path, reason)
    source: Any = io.BytesIO(read_video(path)) if split_path(path) else f'file:{path}'
    options: dict[str, Any] = {'options': _OPEN_OPTIONS, 'container_options': _FILES_ALONE}
    try:
        return av.open(source, **options)
    except UnicodeDecodeError:  # PyAV 19 raises none, and has no metadata_errors either
        return av.open(source, **options, metadata_errors='replace')


def read_video(path: str) -> bytes:
    """Read a video in a shard; BrokenSampleError if it is not at the place in the index."""
    shard, name = split_path(path) or ('', path)
    try:
        name = posixpath.normpath(name)
        offset, size = members(shard)[name]
        system, place = _open(shard)
        block = tarfile.BLOCKSIZE
        data = _try(lambda: system.cat_file(place, start=offset - block, end=offset + size))
        if len(data) != block + size:
            raise ValueError(
                f'{shard} gave {len(data)} bytes instead of {block + size}: it is cut off, or its '
                'server does not support ranges'
            )
        # The header before the data proves that the index belongs to the shard. It does not contain
        # a long or non-ASCII name. For a link it is the header of the link's target.
        header = tarfile.TarInfo.frombuf(data[:block], 'utf-8', 'surrogateescape')
        is_short = name.isascii() and len(name) <= tarfile.LENGTH_NAME
        is_other = members(shard).get(posixpath.normpath(header.name)) != (offset, size)
        if header.size != size or (is_short and is_other):
            raise ValueError(f'{shard} is not the shard of its index')
    except KeyError:
        raise BrokenSampleError(path, f'is not in {shard}') from None
    except (DataError, ValueError, tarfile.TarError, OSError) as error:
        raise BrokenSampleError(path, f'cannot be read ({reason_of(error)})') from error
    return data[block:]


def video_hash(path: str) -> str:
    """Hash of a video's size and of its first and last 64 KiB; '' if these cannot be read.

    It belongs to the content: a copy of another name, date or folder, or in a shard, has the same
    hash. A re-encoded or re-cut video has another one, because it differs in its size, or in the
    header, the table of frames or the last frames. Bytes changed in place between the two ends are
    not seen. For arrays, which may be edited so, see :func:`.file_version`. A video on a server has
    no hash, which would take two requests.
    """
    shard, name = split_path(path) or ('', '')
    if is_remote(path) or irregular(shard or path):
        return ''
    try:
        place = members(shard)[posixpath.normpath(name)] if shard else (0, os.path.getsize(path))
        start, size = place
        digest = hashlib.sha256(str(size).encode())
        with open(shard or path, 'rb') as file:
            for offset in (0, max(0, size - END_BYTES)):
                file.seek(start + offset)
                digest.update(file.read(min(END_BYTES, size)))
    except (KeyError, DataError, OSError):
        return ''
    return digest.hexdigest()[:32]


def split_path(path: str) -> tuple[str, str] | None:
    """Split the path of a video in a shard: the shard's path, the video's name in the shard."""
    for end in _END.finditer(path):
        shard, name = path[: end.start()], path[end.end() :]
        if not os.path.isdir(shard):  # a folder's name may end with .tar
            return shard, name
    return None


def hash_videos(root: str | os.PathLike[str], names: Iterable[str]) -> dict[str, str]:
    """Return {name: :func:`video_hash`} of the videos below ``root``."""
    paths = {name: video_path(root, name) for name in names}
    with ThreadPoolExecutor(HASHED_AT_ONCE) as pool:
        hashes = pool.map(video_hash, paths.values())
        return dict(zip(paths, tqdm(hashes, 'comparing', len(paths), unit='videos', delay=5)))


@lru_cache(maxsize=SHARDS_KNOWN)
def members(shard: str) -> Members:
    """Read {name: (offset, size)} of the files in a shard, with names without ``./``.

    Raises:
        ConfigError: fsspec cannot open the shard's file system.
        DataError: The shard is missing or damaged.
    """
    system, place = _open(shard)
    try:
        content = _try(lambda: system.cat_file(place + INDEX))
        places: Members = parse_json(content, dict[str, tuple[Count, Count]])
        return {posixpath.normpath(name): place for name, place in places.items()}
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DataError(f'{shard}{INDEX}: {reason_of(error)}: try again later') from error
    except Exception as error:  # a damaged index may raise almost any
        raise DataError(
            f'{shard}{INDEX}: {reason_of(error)}: delete it, or make it anew'
        ) from error
    try:
        return _try(lambda: _scan(system, place))
    except (OSError, ValueError, tarfile.TarError) as error:
        raise DataError(f'{shard}: {reason_of(error)}: correct the list or the folder') from error


def _scan(system: Any, place: str) -> Members:
    file = system.open(place, 'rb', cache_type='none')
    with file, tarfile.open(fileobj=file, mode='r:') as tar:
        entries = tar.getmembers()
    places = {
        posixpath.normpath(entry.name): (entry.offset_data, entry.size)
        for entry in entries
        if entry.isfile()
    }
    for entry in entries:
        if entry.islnk() or entry.issym():
            folder = posixpath.dirname(entry.name) if entry.issym() else ''
            target = posixpath.normpath(posixpath.join(folder, entry.linkname))
            if target in places:
                places[posixpath.normpath(entry.name)] = places[target]
    return places


def _open(shard: str) -> tuple[Any, str]:
    """File system of a shard, one per process, and the shard's path in it."""
    if not is_remote(shard):  # fsspec would interpret '::', '~' and 'file:' in a name
        if reason := irregular(shard):
            raise DataError(f'{shard}: {reason}')
        return fsspec.filesystem('file'), os.path.abspath(shard)
    options: dict[str, Any] = {}
    try:
        if shard.startswith(('http://', 'https://')):
            from aiohttp import ClientTimeout

            timeout = ClientTimeout(sock_connect=TIMEOUT, sock_read=TIMEOUT)
            options = {'client_kwargs': {'timeout': timeout}}
        return fsspec.core.url_to_fs(shard, **options)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f'{shard} cannot be read ({reason_of(error)}): pip install mmact_ssl[shards] for '
            'HTTP, s3fs or gcsfs for object stores'
        ) from error


def _try(read: Callable[[], Result]) -> Result:
    """Read, retry what may pass, and turn a client's error into an OSError that names its status.

    fsspec reports any failure of an open as a missing file, and holds the cause.
    """
    pauses = [*PAUSES]
    while True:
        try:
            return read()
        except (ValueError, tarfile.TarError):
            raise
        except Exception as error:  # aiohttp's and botocore's errors have no common base
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            if isinstance(cause, FileNotFoundError):
                raise
            status = getattr(cause, 'status', None)
            may_pass = status is None or status >= 500 or status in (408, 429)
            if not (pauses and may_pass):
                is_silent = isinstance(cause, TimeoutError)
                reason = f'no answer for {TIMEOUT} seconds' if is_silent else reason_of(cause)
                raise OSError(reason) from error
        time.sleep(pauses.pop(0))
