"""Drawing of part maps from a cache of poses."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from rich.progress import track

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import video_path
from mmact_ssl.models.teachers.part_drawing import PARTS, PartDrawing
from mmact_ssl.targets.broken_videos import broken_listing, list_broken, read_broken
from mmact_ssl.targets.cache import TargetMeta, TargetReader, TargetWriter
from mmact_ssl.targets.values import is_current

CHUNK = 64  # frames drawn at once, to limit the memory
MAP_SIZE = 64  # side of the maps


def draw_parts(
    poses: str | os.PathLike[str],
    out: str | os.PathLike[str],
    root: str | os.PathLike[str],
    overwrite: bool = False,
) -> int:
    """Draw the parts of every video in a cache of poses, and skip videos that ``out`` contains.

    Maps of a video whose poses are of another file by now are drawn again. Videos in the poses'
    list of broken videos go into the maps' list too: training replaces them.

    Args:
        root: Folder to which the cache's video paths are relative. The first frame of each video is
            read for its shape, since poses are fractions of it.

    Returns:
        Number of videos written.
    """
    reader = TargetReader(poses)
    if reader.meta.kind != 'pose':
        raise DataError(f'{poses} holds {reader.meta.kind!r}: parts are drawn from poses')
    drawing = PartDrawing((MAP_SIZE, MAP_SIZE))
    fingerprint = drawing.fingerprint(reader.meta.identity)
    meta = TargetMeta('map', PARTS, fingerprint, f'parts of {reader.meta.source}')
    written = 0
    is_new = overwrite or not os.path.exists(out)
    TargetWriter(out, meta, overwrite).close()  # LMDB opens a cache once: make it, read it, fill it
    hashes = reader.source_hashes(reader.keys())
    drawn = TargetReader(out).source_hashes(hashes)
    with TargetWriter(out, meta) as writer:
        if is_new:
            broken_listing(out).unlink(missing_ok=True)  # list of a removed cache
        for key in track(hashes, 'drawing parts'):
            if is_current(drawn.get(key), hashes[key]):
                continue
            with VideoReader(video_path(root, key)) as video:
                height, width = video.read([0])[0].shape[:2]
            chunks = torch.from_numpy(reader.get(key)).split(CHUNK)
            maps = [drawing(chunk, reader.meta.layout, width / height) for chunk in chunks]
            writer.put(key, torch.cat(maps).numpy(), hashes[key])
            written += 1
    broken = read_broken(poses)
    list_broken(Path(out), broken, broken)
    return written
