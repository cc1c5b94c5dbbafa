"""Annotation pickles of pyskl and mmaction2 (``ntu60_3danno.pkl``, ``hmdb51_hrnet.pkl``, …)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.datasets.layouts import layout_of
from mmact_ssl.datasets.skeleton_clips import read_coordinates
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import reading
from mmact_ssl.preparation.persons import strongest_persons
from mmact_ssl.preparation.safe_pickle import load_plain_pickle
from mmact_ssl.preparation.skeletons import SkeletonWriter, numbered_classes

SETS = {'pose-pickle': 'an annotation pickle of pyskl or mmaction2'}
OPTIONS = {'persons': dict(type=int, help='to keep, those that move most')}
FIX = 'give a pickle of pyskl or mmaction2'


def prepare(
    source: Path, out: Path, layout: str = '', persons: int = 2, coordinates: str = ''
) -> dict[str, int]:
    """Convert an annotation pickle; its splits become lists of the same names.

    The file contains ``dict(split={name: [clips]}, annotations=[…])`` or only the list of
    annotations. Each has ``frame_dir`` (or ``filename``), ``label``, ``keypoint`` (M, T, V, C) and,
    usually in 2D, ``keypoint_score`` (M, T, V). The folder keeps the ``persons`` that move most. A
    joint of score 0 becomes zero, that is, missing; other scores are dropped. Clips may lack a
    label. Clips whose key points are not (M, T, V, C) are left out.

    Args:
        source: The pickle, loaded without running code, see :func:`load_plain_pickle`.
        out: Prepared folder to write, with ``SPLIT.txt`` for each split, or ``all.txt``.
        layout: A key of LAYOUTS with V joints; '': the only one.
        persons: Persons M of the prepared set.
        coordinates: Values of a joint without ``keypoint_score``, see :func:`read_coordinates`.
    """
    with reading(source, FIX):
        annotations, splits = _parts(load_plain_pickle(source), source)
        names = [_name(clip, source) for clip in annotations]
        labels = [_label(clip, f'{source}: {name}') for clip, name in zip(annotations, names)]
        clips = [np.asarray(clip.get('keypoint'), np.float32) for clip in annotations]
        scores = [np.asarray(clip.get('keypoint_score', ())) for clip in annotations]
        if any(score.shape != clip.shape[:-1] for clip, score in zip(clips, scores)):
            clips = read_coordinates(clips, coordinates, f'{source}: keypoint')
        sizes = {clip.shape[3] for clip in clips if clip.ndim == 4}
        if len(sizes) != 1 or not sizes <= {2, 3}:
            first = list(clips[0].shape)
            raise DataError(f'{source}: keypoint [M, T, V, 2 or 3] is needed, not {first}; {FIX}')
        layout = layout or layout_of(clips[0].shape)
        classes = numbered_classes(labels, source)
        with SkeletonWriter(out, source.stem, layout, classes, persons, *sizes) as writer:
            for name, label, clip, score in zip(names, labels, clips, scores):
                if score.ndim == 3 and score.shape == clip.shape[:3]:
                    clip = np.where(score[..., None] > 0, clip, 0)
                is_clip = clip.ndim == 4
                writer.add(name, label, strongest_persons(clip, persons) if is_clip else clip)
            return writer.finish(splits or {'all': names})


def _parts(content: Any, source: Path) -> tuple[list[dict], dict[str, list[str]]]:
    """Return the annotations and {split: names of clips} of a pickle's content."""
    if not isinstance(content, dict):
        content = {'annotations': content}
    annotations, splits = content.get('annotations'), content.get('split') or {}
    is_fit = isinstance(annotations, (list, tuple)) and isinstance(splits, dict)
    if not is_fit or not annotations or not all(isinstance(clip, dict) for clip in annotations):
        raise DataError(f'{source}: no list of annotations, alone or as annotations=[…]; {FIX}')
    # A split is a set: pyskl and mmaction2 read a clip once, however often it is listed.
    names = {str(split): [*dict.fromkeys(map(str, listed))] for split, listed in splits.items()}
    return list(annotations), names


def _name(annotation: dict, source: Path) -> str:
    """Return the name that splits use: ``filename``, else ``frame_dir``, as in mmaction2."""
    name = annotation.get('filename', annotation.get('frame_dir'))
    if not isinstance(name, str):
        raise DataError(f'{source}: an annotation has neither frame_dir nor filename; add one')
    return name


def _label(annotation: dict, where: str) -> int:
    """Return the label from 0, or -1 for none."""
    label = annotation.get('label', -1)
    value = np.asarray(-1 if label is None else label)
    if value.shape or value.dtype.kind not in 'iuf' or not float(value).is_integer():
        raise DataError(
            f'{where} has the label {str(label)[:50]}: give one whole number for each clip, or no '
            'label for pre-training only'
        )
    return int(value)
