"""Annotation pickles of pyskl and mmaction2 (``ntu60_3danno.pkl``, ``hmdb51_hrnet.pkl``, …)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.files import reading
from mmact_ssl.preparation.persons import strongest_persons
from mmact_ssl.preparation.safe_pickle import load_plain_pickle
from mmact_ssl.preparation.skeletons import SkeletonWriter, numbered_classes

SETS = {'pose-pickle': 'an annotation pickle of pyskl or mmaction2'}
OPTIONS = {'persons': dict(type=int, help='to keep, those that move most')}
FIX = 'give a pickle of pyskl or mmaction2'


def prepare(source: Path, out: Path, layout: str, persons: int = 2) -> dict[str, int]:
    """Convert an annotation pickle; its splits become lists of the same names.

    The file contains ``dict(split={name: [clips]}, annotations=[…])`` or only the list of
    annotations. Each has ``frame_dir`` (or ``filename``), ``label``, ``keypoint`` (M, T, V, C) and,
    usually in 2D, ``keypoint_score`` (M, T, V). The folder keeps the ``persons`` that move most. A
    joint of score 0 becomes zero, that is, missing; other scores are dropped. Clips may lack a
    label. Clips whose key points are not (M, T, V, C) are left out.

    Args:
        source: The pickle, loaded without running code, see :func:`load_plain_pickle`.
        out: Prepared folder to write, with ``SPLIT.txt`` for each split, or ``all.txt``.
        layout: A key of LAYOUTS.
        persons: Persons M of the prepared set.
    """
    with reading(source, FIX):
        annotations, splits = _parts(load_plain_pickle(source), source)
        names = [_name(clip, source) for clip in annotations]
        labels = [_label(clip, f'{source}: {name}') for clip, name in zip(annotations, names)]
        shapes = [np.shape(clip.get('keypoint', ())) for clip in annotations]
        coordinates = {shape[3] for shape in shapes if len(shape) == 4}
        if len(coordinates) != 1 or not coordinates <= {2, 3}:
            first = list(shapes[0])
            raise DataError(f'{source}: keypoint [M, T, V, 2 or 3] is needed, not {first}; {FIX}')
        num_coordinates = coordinates.pop()
        with SkeletonWriter(
            out,
            source.stem,
            layout,
            numbered_classes(labels, source),
            persons,
            num_coordinates,
            unit='metres' if num_coordinates == 3 else 'pixels',
            may_lack_labels=True,
        ) as writer:
            for name, label, annotation in zip(names, labels, annotations):
                writer.add(name, label, _keypoint(annotation, persons))
            return writer.finish(splits or {'all': names})


def _keypoint(annotation: dict, persons: int) -> np.ndarray:
    """Return the persons that move most, float32 (M, T, V, C), or an array of another shape."""
    keypoint = np.asarray(annotation.get('keypoint'), dtype=np.float32)
    if keypoint.ndim == 4:
        score = annotation.get('keypoint_score')
        if score is not None and np.shape(score) == keypoint.shape[:3]:
            keypoint = np.where(np.asarray(score)[..., None] > 0, keypoint, 0)
        keypoint = strongest_persons(keypoint, persons)
    return keypoint


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
