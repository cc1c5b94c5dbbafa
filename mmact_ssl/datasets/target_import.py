"""Fill a target cache from poses that others have made: a table (`.npz`) or COCO JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.targets import TargetMeta, TargetWriter
from mmact_ssl.errors import DataError

# `videos/a.mp4/000012.jpg`, `a/frame_12.png` or `a_000012.jpg`: video, frame number.
FRAME_FILE = re.compile(r'^(?P<video>.+?)[/_](?:frame|img|image)?_?(?P<frame>\d+)\.\w+$')


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hash a file's content without reading it whole into memory."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def import_npz(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    annotated: Sequence[str] | None = None,
    overwrite: bool = False,
) -> int:
    """Import a table of poses.

    Args:
        source: npz without pickles: `names` [N] unicode, `lengths` [N] integers, `keypoints`
            float [sum(lengths), V, 3] (x, y as fractions of the frame, score 0..1) and `layout`, a
            name in LAYOUTS.
        out: Folder of the cache.
        annotated: Video paths of the annotation files. Names are matched to them exactly or
            without suffix (`a1_s1` to `videos/a1_s1.mp4`), and become those. None: taken as is.
        overwrite: Replace an existing cache.

    Returns:
        Number of videos written (those already in the cache are skipped).

    Raises:
        DataError: The file is not of this format, or an annotated video has no pose.
    """
    source = Path(source)
    if not source.is_file():
        raise DataError(f'no file {source} to import poses from')
    with np.load(source, allow_pickle=False) as table:
        missing = {'names', 'lengths', 'keypoints', 'layout'} - set(table.files)
        if missing:
            raise DataError(f'{source} lacks {sorted(missing)}: docs/teachers.md has the format')
        names = [str(name) for name in table['names']]
        lengths, keypoints, layout = table['lengths'], table['keypoints'], str(table['layout'])
    _check_layout(source, layout, keypoints.shape)
    if len(names) != len(lengths) or int(lengths.sum()) != len(keypoints):
        raise DataError(
            f'{source}: {len(names)} names, {len(lengths)} lengths that sum to {lengths.sum()}, '
            f'{len(keypoints)} poses do not fit together'
        )
    offsets = np.cumsum([0, *lengths])
    spans = {name: slice(*offsets[i : i + 2]) for i, name in enumerate(names)}
    poses = _match(source, spans, annotated)
    meta = TargetMeta('pose', layout, file_sha256(source), f'import-npz {source.name}')
    return _write(out, meta, ((key, keypoints[span]) for key, span in poses.items()), overwrite)


def import_coco(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    lengths: Mapping[str, int],
    layout: str = 'coco17',
    overwrite: bool = False,
) -> int:
    """Import key points in COCO's JSON format, one image a frame.

    An image tells its video and frame by the fields `video` and `frame` (from 0) or by its file
    name: a folder or prefix named like the video, then the number (`videos/a.mp4/000012.jpg`,
    `videos/a/frame_12.png`, `videos/a_000012.jpg`), from 0. Of several persons on a frame the one
    with the highest `score`, then the largest `area`, is kept. A frame without an annotation and a
    joint with visibility 0 get score 0; a visible joint gets score 1, or the fractional third value
    of a detector's result.

    Args:
        source: JSON with `images` (file_name, width, height) and `annotations` (image_id,
            keypoints [V * 3] in pixels).
        out: Folder of the cache.
        lengths: Number of frames by video path as annotated.
        layout: Joint order of the key points.
        overwrite: Replace an existing cache.

    Returns:
        Number of videos written (those already in the cache are skipped).

    Raises:
        DataError: The file is not of this format or names frames beyond a video's end.
    """
    source = Path(source)
    if not source.is_file():
        raise DataError(f'no file {source} to import poses from')
    coco = json.loads(source.read_text())
    for part in ('images', 'annotations'):
        if part not in coco:
            raise DataError(f'{source} has no {part!r}: COCO key point JSON is expected')
    num_joints = LAYOUTS[layout].num_joints if layout in LAYOUTS else 0
    _check_layout(source, layout, (0, num_joints, 3))
    poses = {key: np.zeros((frames, num_joints, 3), np.float32) for key, frames in lengths.items()}
    by_stem = {PurePosixPath(key).with_suffix('').as_posix(): key for key in lengths}
    best: dict[int, tuple[float, float]] = {}
    images = {image['id']: image for image in coco['images']}
    for annotation in coco['annotations']:
        image = images[annotation['image_id']]
        key, frame = _frame_of(source, image, lengths, by_stem)
        if not 0 <= frame < lengths[key]:
            raise DataError(f'{source}: frame {frame} of {key!r}, which has {lengths[key]} frames')
        rank = (float(annotation.get('score', 1.0)), float(annotation.get('area', 0.0)))
        if rank <= best.get(image['id'], (-1.0, -1.0)):
            continue
        best[image['id']] = rank
        pose = np.asarray(annotation['keypoints'], np.float32)
        if pose.size != num_joints * 3:
            raise DataError(
                f'{source}: an annotation has {pose.size // 3} joints, {layout} has {num_joints}'
            )
        pose = pose.reshape(num_joints, 3) / [image['width'], image['height'], 1]
        pose[:, 2] = pose[:, 2].clip(0, 1)  # visibility 1 (hidden) and 2 (seen) are both known
        pose[pose[:, 2] == 0] = 0
        poses[key][frame] = pose
    meta = TargetMeta('pose', layout, file_sha256(source), f'import-coco {source.name}')
    return _write(out, meta, poses.items(), overwrite)


def _write(
    out: str | os.PathLike[str],
    meta: TargetMeta,
    poses: Iterable[tuple[str, np.ndarray]],
    overwrite: bool,
) -> int:
    with TargetWriter(out, meta, overwrite) as writer:
        fresh = {key: pose for key, pose in poses if key not in writer}
        writer.put_many(fresh)
        return len(fresh)


def _check_layout(source: Path, layout: str, shape: tuple[int, ...]) -> None:
    if layout not in LAYOUTS:
        raise DataError(f'{source}: unknown layout {layout!r}; known are {", ".join(LAYOUTS)}')
    num_joints = LAYOUTS[layout].num_joints
    if len(shape) != 3 or shape[1:] != (num_joints, 3):
        raise DataError(
            f'{source}: keypoints are {list(shape)}, layout {layout} needs [F, {num_joints}, 3]'
        )


def _match(
    source: Path, spans: Mapping[str, slice], annotated: Sequence[str] | None
) -> dict[str, slice]:
    """Rename the table's videos to the annotation's paths."""
    if annotated is None:
        return dict(spans)
    by_stem: dict[str, list[str]] = {}
    for name in spans:
        by_stem.setdefault(PurePosixPath(name).stem, []).append(name)
    matched = {}
    for key in annotated:
        names = [key] if key in spans else by_stem.get(PurePosixPath(key).stem, [])
        if len(names) != 1:
            what = 'no pose' if not names else f'several poses ({", ".join(names[:3])})'
            raise DataError(f'{source} has {what} for the annotated video {key!r}')
        matched[key] = spans[names[0]]
    return matched


def _frame_of(
    source: Path, image: Mapping, lengths: Mapping[str, int], by_stem: Mapping[str, str]
) -> tuple[str, int]:
    """Tell which video and frame a COCO image is."""
    if 'video' in image and 'frame' in image:
        name, frame = str(image['video']), int(image['frame'])
    else:
        match = FRAME_FILE.match(image['file_name'])
        if match is None:
            raise DataError(
                f'{source}: image {image["file_name"]!r} does not tell its frame; add the fields '
                '"video" and "frame", or name it <video>/<number>.jpg'
            )
        name, frame = match['video'], int(match['frame'])
    key = name if name in lengths else by_stem.get(PurePosixPath(name).with_suffix('').as_posix())
    if key is None:
        raise DataError(f'{source}: {name!r} is not among the annotated videos; check --ann')
    return key, frame
