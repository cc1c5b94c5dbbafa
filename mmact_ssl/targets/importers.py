"""Import targets that others have made: a table (``.npz``), COCO JSON, or skeletons.

Each importer writes the cache ``out`` and returns the number of videos written: those that are in
the cache already are skipped unless ``overwrite`` replaces it. ``annotated`` are the video paths of
the annotation files. Names are matched to them exactly, else without suffix (``videos/a1_s1``),
else without folders too (``a1_s1`` to ``videos/a1_s1.mp4``), and become those; an entry serves one
video. None: names are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.files import open_archive, read_arrays, read_json, reading, sha256_of_file
from mmact_ssl.preparation.poses import project_joints
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.values import from_storage

# `videos/a.mp4/000012.jpg`, `a/frame_12.png` or `a_000012.jpg`: video, frame number.
FRAME_FILE = re.compile(r'^(?P<video>.+?)[/_](?:frame|img|image)?_?(?P<frame>\d+)\.\w+$')
# The name of the array in an npz file gives its kind.
NPZ_FIX = 'docs/targets.md has the format'
NPZ_KINDS = {'keypoints': 'pose', 'embeddings': 'embedding', 'maps': 'map'}


def npz_kind(source: str | os.PathLike[str]) -> str:
    """Kind of the targets in a table, by the name of its array; DataError if there is none."""
    with open_archive(source, NPZ_FIX) as archive:
        found = [kind for name, kind in NPZ_KINDS.items() if f'{name}.npy' in archive.namelist()]
    if len(found) != 1:
        raise DataError(f'{source} must hold one of {", ".join(NPZ_KINDS)}: {NPZ_FIX}')
    return found[0]


def import_npz(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    annotated: Sequence[str] | None = None,
    overwrite: bool = False,
    dtypes: Mapping[str, str] | None = None,
) -> int:
    """Import a table of poses, embeddings or part maps of all frames of many videos.

    Args:
        source: Npz without pickles: ``names`` (N,) unicode, ``lengths`` (N,) integers, and one of
            ``keypoints`` float (F, V, 3) (x, y as fractions of the frame, score 0..1; F is
            sum(lengths)) with ``layout``, a name in LAYOUTS; ``embeddings`` float (F, D), with
            ``window`` (num_frames, stride) if they are of clips; ``maps`` (F, C, h, w), float 0..1
            or uint8 0..255, with ``layout``, a name in PART_LAYOUTS, unless no part has sides.
        dtypes: Storage type by kind; float32 for those not named.
    """
    source = Path(source)
    kind = npz_kind(source)
    with reading(source, NPZ_FIX):
        table = read_arrays(source, NPZ_FIX)
        names, lengths = [str(name) for name in table['names']], table['lengths']
        values = next(table[name] for name in NPZ_KINDS if name in table)
        layout = str(table['layout']) if kind == 'pose' else str(table.get('layout', ''))
        window = tuple(table['window'].tolist()) if 'window' in table else None
        if window is not None and (kind != 'embedding' or len(window) != 2 or min(window) < 1):
            raise ValueError(f'window is (num_frames, stride) of embeddings, not {window}')
        if lengths.dtype.kind not in 'iu' or lengths.min(initial=1) < 1:
            raise ValueError('lengths are integers, 1 or more')
        if len(names) != len(lengths) or int(lengths.sum()) != len(values):
            raise ValueError(
                f'{len(names)} names, {len(lengths)} lengths that sum to {lengths.sum()}, and '
                f'{len(values)} values do not fit together'
            )
    matched = _match(source, names, lengths, annotated)
    meta = TargetMeta(
        kind,
        layout,
        sha256_of_file(source),
        f'import-npz {source.name}',
        window,
        dtype=(dtypes or {}).get(kind, 'float32'),
    )
    arrays = ((key, from_storage(values[span])) for key, span in matched.items())
    return _write(source, out, meta, arrays, overwrite)


def import_skeletons(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    annotated: Sequence[str] | None = None,
    overwrite: bool = False,
) -> int:
    """Import the first persons of a prepared skeleton folder, projected into their videos.

    ``source`` is a folder that ``tools/prepare_data.py`` writes of a Kinect's skeletons, in meters
    in the axes of the camera that made the videos; frame t of both is the same moment. ``focal``,
    ``center`` and ``size`` are the camera's, see project_joints.
    """
    source = Path(source)
    folder = open_skeleton_folder(source, 'prepare it with tools/prepare_data.py')
    if folder.shape[3] != 3 or folder.unit != 'metres':
        raise DataError(
            f'{source} holds skeletons in {folder.unit}, {folder.shape[3]} coordinates a joint: '
            'only coordinates in space, in meters, can be projected'
        )
    matched = _match(source, folder.names.tolist(), folder.lengths, annotated)
    coordinates = folder.open_coordinates()
    camera = {'focal': focal, 'center': list(center), 'size': list(size)}
    identity = json.dumps([folder.content_hash, camera], sort_keys=True)
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    meta = TargetMeta('pose', folder.layout, fingerprint, f'import-skeletons {source} {camera}')

    def projected() -> Iterator[tuple[str, np.ndarray]]:
        for key, span in matched.items():
            pose = project_joints(coordinates[span, 0], focal, center, size)
            if not pose[..., 2].any():
                raise DataError(
                    f'{source}: no joint of {key} lies before the camera, z > 0: prepare the '
                    'folder without --left-handed'
                )
            yield key, pose

    return _write(source, out, meta, projected(), overwrite)


def import_coco(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    lengths: Mapping[str, int],
    layout: str = 'coco17',
    overwrite: bool = False,
) -> int:
    """Import key points in COCO's JSON format, one image a frame.

    The video and frame of an image are its fields ``video`` and ``frame`` (from 0), or follow from
    its file name, see FRAME_FILE. Of several persons on a frame the one with the highest ``score``,
    then the largest ``area``, is kept; crowds and persons without a known joint do not count. A
    frame without an annotation and a joint with visibility 0 get score 0; a visible joint gets 1,
    or the fractional third value of a detector's result.

    Args:
        source: JSON with ``images`` (file_name, width, height) and ``annotations`` (image_id,
            keypoints (V * 3,) in pixels, pixel i centered on i).
        lengths: Number of frames by video path as annotated.
        layout: Joint order of the key points.
    """
    source = Path(source)
    meta = TargetMeta('pose', layout, sha256_of_file(source), f'import-coco {source.name}')
    meta.check()
    num_joints = LAYOUTS[layout].num_joints
    poses = {key: np.zeros((frames, num_joints, 3), np.float32) for key, frames in lengths.items()}
    by_stem = defaultdict(list)
    for key in lengths:
        by_stem[_stem(key)].append(key)
    fix = "COCO key points with 'images' and 'annotations' are expected"
    with reading(source, fix):
        best: dict[tuple[str, int], tuple[float, float]] = {}
        frames_found = set()
        coco = read_json(source, fix, dict)
        images = {image['id']: image for image in coco['images']}
        for annotation in coco['annotations']:
            image = images[annotation['image_id']]
            name, frame = _frame_of(source, image)
            found = [name] if name in lengths else by_stem[name] or by_stem[_stem(name)]
            if not found:
                raise ValueError(f'{name!r} is not among the annotated videos; check --ann')
            if len(found) > 1:
                raise ValueError(f"{name!r} may be any of {found}; add the fields 'video', 'frame'")
            key = found[0]
            if not 0 <= frame < lengths[key]:
                raise ValueError(f'frame {frame} of {key!r}, which has {lengths[key]} frames')
            frames_found.add(frame)
            if annotation.get('iscrowd'):
                continue
            pose = np.asarray(annotation['keypoints'], np.float32)
            if pose.size != num_joints * 3:
                raise ValueError(f'an annotation has {pose.size // 3} joints, not {num_joints}')
            pose = pose.reshape(num_joints, 3)
            rank = (float(annotation.get('score', 1.0)), float(annotation.get('area', 0.0)))
            unlabeled = not (pose[:, 2] > 0).any()
            if unlabeled or rank <= best.get((key, frame), (-math.inf, -math.inf)):
                continue
            best[key, frame] = rank
            # COCO centers pixel i on i, the project's poses let it cover [i, i + 1).
            pose[:, :2] = (pose[:, :2] + 0.5) / [image['width'], image['height']]
            pose[:, 2] = pose[:, 2].clip(0, 1)  # visibility 1 (hidden) and 2 (seen) are both known
            pose[pose[:, 2] == 0] = 0
            poses[key][frame] = pose
    if frames_found and 0 not in frames_found:
        print_log(
            f'{source}: no video has an annotation of frame 0, the first is of frame '
            f'{min(frames_found)}: if the file counts from 1, every pose is a frame late; number '
            'frames from 0',
            logger='current',
            level=logging.WARNING,
        )
    return _write(source, out, meta, poses.items(), overwrite)


def _write(
    source: Path,
    out: str | os.PathLike[str],
    meta: TargetMeta,
    arrays: Iterable[tuple[str, np.ndarray]],
    overwrite: bool,
) -> int:
    written = 0
    with TargetWriter(out, meta, overwrite) as writer:
        for key, array in arrays:
            if key in writer:
                continue
            try:
                writer.put(key, array)
            except ValueError as error:
                raise DataError(f'{source}: {error}') from error
            written += 1
    return written


def _stem(path: str) -> str:
    """A name without its suffix; digits behind a dot, as in ``clip_10.30``, are none."""
    named = PurePosixPath(path)
    return path if named.suffix[1:].isdigit() else named.with_suffix('').as_posix()


def _match(
    source: Path, names: Sequence[str], lengths: np.ndarray, annotated: Sequence[str] | None
) -> dict[str, slice]:
    """Find the frames of each annotated video (None: of each entry) in a joined table."""
    ends = np.cumsum(lengths).tolist()
    spans = {name: slice(start, end) for name, start, end in zip(names, [0, *ends], ends)}
    if len(spans) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f'{source}: {twice!r} is there twice; keep one')
    if annotated is None:
        return spans
    exact = set(annotated) & set(spans)
    # An entry of a video's folder and name serves no video of this name in another folder.
    stems = {_stem(key) for key in set(annotated) - exact}
    by_stem, by_name = defaultdict(list), defaultdict(list)
    for name in spans.keys() - exact:
        stem = _stem(name)
        if stem in stems:
            by_stem[stem].append(name)
        else:
            by_name[PurePosixPath(stem).name].append(name)
    matched: dict[str, slice] = {}
    serves: dict[str, str] = {}
    for key in annotated:
        stem = _stem(key)
        found = [key] if key in exact else by_stem[stem] or by_name[PurePosixPath(stem).name]
        if len(found) != 1:
            what = f'several entries ({", ".join(sorted(found)[:3])})' if found else 'nothing'
            raise DataError(f'{source} has {what} for the annotated video {key!r}')
        if serves.setdefault(found[0], key) != key:
            raise DataError(
                f'{source}: {found[0]!r} is the only entry for two annotated videos, '
                f'{serves[found[0]]!r} and {key!r}: name its entries as annotated'
            )
        matched[key] = spans[found[0]]
    return matched


def _frame_of(source: Path, image: Mapping[str, Any]) -> tuple[str, int]:
    """Name the video and frame of a COCO image."""
    if 'video' in image and 'frame' in image:
        return str(image['video']), int(image['frame'])
    match = FRAME_FILE.match(image['file_name'])
    if match is None:
        raise DataError(
            f'{source}: the frame of image {image["file_name"]!r} is unknown; add the fields '
            '"video" and "frame", or name it <video>/<number>.jpg'
        )
    return match['video'], int(match['frame'])
