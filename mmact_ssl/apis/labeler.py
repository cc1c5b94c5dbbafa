"""Labels for all clips, or for all moments of recordings, from a few labels."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmact_ssl.apis.clips import Clip, find_clips, require_paths
from mmact_ssl.apis.feature_index import FORMAT
from mmact_ssl.apis.feature_inferencer import layout_of_arrays
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.datasets.skeleton_folder import META
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import expand, sha256_of
from mmact_ssl.labeling.classifier import Classifier, choose_next
from mmact_ssl.labeling.outputs import Segment, find_segments, segment_files, write_files
from mmact_ssl.labeling.tables import (
    Label,
    check_labels,
    classes_of,
    format_table,
    label_table,
    read_label_table,
)
from mmact_ssl.labeling.windows import Windows
from mmact_ssl.preparation.files import VIDEO_SUFFIXES, are_recordings, files_below, length_of
from mmact_ssl.preparation.videos import labels_of_folders

VIDEO, MOTION, SKELETON = 'dtg_tsm-lite0_jhmdb', 'tsm-lite0-motion', 'skeleton_general'
WINDOW = 2.0  # seconds
RECORDING = 5  # windows; a longer file is a recording
NEXT = 20  # windows to label next


@dataclass(frozen=True)
class Labeled:
    """Labels of a source.

    Attributes:
        clips: The V clips or recordings that can be read.
        windows: Their N windows.
        labels: The labels that were given, also those of files that cannot be read.
        classes: Names of the K classes; () without labels.
        given: Class of each window by the labels, int ``(N,)``; -1 without one.
        classifier: The trained one, with its estimate; None without labels.
        probabilities: float64 ``(N, K)``, 1 for the class of a given label.
        next: Windows to label next, int rows.
    """

    clips: Sequence[Clip]
    windows: Windows
    labels: Sequence[Label]
    classes: tuple[str, ...]
    given: np.ndarray
    classifier: Classifier | None
    probabilities: np.ndarray
    next: np.ndarray

    @property
    def segments(self) -> list[Segment]:
        """Runs of windows with one label, in order."""
        return find_segments(self.windows, self.classes, self.probabilities)

    def write(self, folder: Path) -> None:
        """Write tables, subtitles and events, and remove those of the last call."""
        windows = self.windows
        columns = ['video', 'start', 'stop'] if windows.is_cut else ['video']
        moments: list[list[object]] = [
            [windows.videos[video], *span][: len(columns)]
            for video, span in zip(windows.video.tolist(), windows.spans.tolist())
        ]
        chosen = [[*moments[row], ''] for row in self.next.tolist()]
        texts = {'next.csv': format_table([*columns, 'label'], chosen)}
        if self.classes:
            order = np.argsort(-self.probabilities, axis=1)[:, :2].tolist()
            for moment, (first, second), values in zip(moments, order, self.probabilities):
                moment += [self.classes[first], float(values[first]), self.classes[second]]
            columns += ['label', 'probability', 'runner-up']
            texts['predictions.csv'] = format_table(columns, moments)
            texts['labels.csv'] = label_table(self.labels)
            texts |= segment_files(self.segments) if windows.is_cut else {}
        write_files(folder, texts)


def label(
    source: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | Encoder | None = None,
    window: float | None = None,
    stride: float | None = None,
    folder: str | os.PathLike[str] = '.',
    layout: str = '',
    encoder: str | None = None,
    show_progress: bool = True,
    coordinates: str = '',
) -> Labeled:
    """Give every clip, or every moment of recordings, a label, from labels for a few.

    Args:
        source: Folder of clips or recordings; or of skeletons, or a file of these.
        labels: Table, see :func:`mmact_ssl.labeling.tables.read_label_table`; ``'folders'`` if the
            first folder below ``source`` is the class; None: only choose what to label first.
        model: As in a FeatureInferencer; by default a general one: of videos beside their motion.
        window, stride: Seconds. ``window`` None: 2 s, each 1 s after the one before, if most of the
            material is in files longer than ten seconds, else whole files; 0: whole files.
        folder: Keeps the features; what is there is not embedded again.
        layout, encoder, show_progress, coordinates: As in a FeatureInferencer.

    Raises:
        DataError: The source or a label cannot be read.
        ConfigError: An option does not fit.
    """
    source = expand(source)
    require_paths(source)
    if model is None:
        model, encoder = (VIDEO, encoder or MOTION) if holds_videos(source) else (SKELETON, encoder)
    model = model if isinstance(model, Encoder) else Encoder.load(model, encoder)
    config = model.config
    kind = 'skeleton' if config.is_skeleton else 'video'
    clips = find_clips(source, kind, layout_of_arrays(config, layout), coordinates)
    if source.is_file():  # one name for the file, from wherever the program runs
        clips[0].read()  # one that cannot be read says why, before labels are looked up in it
        clips = [replace(c, name=os.path.relpath(c.path, source.parent)) for c in clips]
    if config.is_skeleton and (window or stride):
        raise ConfigError(f'{source}: skeletons have no seconds: leave out window and stride')
    lengths = {} if config.is_skeleton else {clip.name: length_of(clip.path) for clip in clips}
    if lengths and window is None:
        window = choose_window([*lengths.values()], stride)
    if window:
        window, stride = float(window), float(stride or window / 2)
    cut = window or None, stride
    settings = json.dumps([FORMAT, model.sha256, config.record, *cut])
    index = expand(folder) / f'features-{sha256_of(settings)[:8]}.index'
    search = RetrievalInferencer(
        model, index, *cut, show_progress=show_progress, layout=layout, coordinates=coordinates
    )
    given = read_labels(source, labels, [clip.name for clip in clips])
    check_labels(given, lengths)
    if not window:  # a part of a clip is labeled as all of it
        given = [label._replace(start=0.0, stop=np.inf) for label in given]
        check_labels(given, {})
    classes_of(given, labels)
    search.add(clips)
    return classify(*read_windows(search, clips), given, labels)


def classify(
    clips: Sequence[Clip], windows: Windows, labels: Sequence[Label], table: object
) -> Labeled:
    """Train on the labels of a table, and label all windows."""
    ends = {windows.videos[video]: stop for video, (_, stop) in zip(windows.video, windows.spans)}
    usable = [label for label in labels if label.video in ends]
    if lost := sorted({label.video for label in labels} - ends.keys()):
        line = f'{table}: {len(labels) - len(usable)} labels are of files that cannot be read: '
        print_log(line + ', '.join(lost), 'current', logging.WARNING)
    classes, classifier = classes_of(usable, table), None
    given, is_touched = windows.give(usable, classes)
    probabilities = np.zeros((len(given), len(classes)))
    if classes:
        classifier = Classifier(windows, given, windows.groups(usable), len(classes))
        probabilities = classifier.probabilities()
    chosen = choose_next(windows, ~is_touched, probabilities, NEXT)
    probabilities[given >= 0] = np.eye(len(classes))[given[given >= 0]]
    if windows.is_cut:
        stops = [min(label.stop, ends.get(label.video, np.inf)) for label in labels]
        labels = [label._replace(stop=stop) for label, stop in zip(labels, stops)]
    return Labeled(clips, windows, labels, classes, given, classifier, probabilities, chosen)


def holds_videos(source: Path) -> bool:
    """True for a video, or a folder that holds one and is not a prepared skeleton folder."""
    files = [source] if source.is_file() else files_below(source, {})
    is_prepared = (source / META).is_file()
    return not is_prepared and any(file.suffix.lower() in VIDEO_SUFFIXES for file in files)


def choose_window(lengths: Sequence[float], stride: float | None) -> float:
    """Seconds of windows for videos of these lengths, 0 for whole files; says which."""
    if not are_recordings(np.array(lengths), RECORDING * WINDOW):
        print_log(f'{len(lengths)} clips, each as a whole (--window cuts them)', 'current')
        return 0.0
    print_log(
        f'{sum(lengths) / 60:.0f} minutes in {len(lengths)} file(s): windows of {WINDOW:g} s, '
        f'one every {stride or WINDOW / 2:g} s (--window 0 takes whole files)',
        'current',
    )
    return WINDOW


def read_labels(
    source: Path, labels: str | os.PathLike[str] | None, names: Sequence[str]
) -> list[Label]:
    """Read the labels of a table, or those of folders."""
    if labels is None:
        return []
    if os.fspath(labels) == 'folders':
        classes = labels_of_folders([source / name for name in names], source)
        found = [
            Label(path.relative_to(source).as_posix(), 0.0, np.inf, *known, 'a folder')
            for path, known in classes.items()
        ]
    else:
        found = read_label_table(expand(labels), names)
    if not found:
        raise DataError(f'{labels}: has no labels')
    return found


def read_windows(search: RetrievalInferencer, clips: Sequence[Clip]) -> tuple[list[Clip], Windows]:
    """Take the windows of the readable clips from an index."""
    rows, features = search.index.rows()
    places = {clip.path: place for place, clip in enumerate(clips)}
    found = sorted(
        (places[name], start, stop, row)
        for row, (name, start, stop) in enumerate(rows)
        if name in places
    )
    if not found:
        raise DataError('none of the clips can be read')
    place, starts, stops, order = map(np.array, zip(*found))
    kept, video = np.unique(place, return_inverse=True)
    readable = [clips[number] for number in kept]
    names, spans = tuple(clip.name for clip in readable), np.stack([starts, stops], axis=1)
    return readable, Windows(names, video, spans, features[order])
