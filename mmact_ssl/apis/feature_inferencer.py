"""Features of videos and skeletons, from a published model and nothing else."""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import ConfigDict
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from rich.progress import track

from mmact_ssl.apis import load_model
from mmact_ssl.apis.clips import Clip, Input, find_clips
from mmact_ssl.apis.feature_file import open_feature_file
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.apis.parts import build_pipeline
from mmact_ssl.engine.device import find_device
from mmact_ssl.errors import ConfigError, DataError, reason_of
from mmact_ssl.files import CONTROL, reading, write_atomically

FIX = 'repair it or leave it out'
UNITS = ('seconds', 'frames')
# What these open is read at any frame, in any order; PyAVDecode goes on from where it stopped.
RANDOM_ACCESS = ('DecordInit', 'OpenCVInit')


@dataclass(frozen=True)
class Embedded:
    """The features of one clip.

    Attributes:
        name: Of the clip.
        spans: float64 ``(W, 2)``: where each window begins and ends, in the unit that was asked
            for; in frames if the clip is not cut and its seconds are not known.
        values: float32 ``(W, C)``.
    """

    name: str
    spans: np.ndarray
    values: np.ndarray


class Row(NamedTuple):
    """One window of a clip: before the network its sample, after it its feature."""

    number: int  # of the clip
    span: tuple[float, float]
    content: Any


class FeatureInferencer(BaseInferencer):
    """Embed videos, frames or skeletons with a pre-trained model.

    ``FeatureInferencer('csvr_r3d_demo')('my/videos')['features']`` is float32 ``(N, C)``.

    Args:
        model: Name in the zoo, path of a published file, or a loaded model.
        device: Of the network; a GPU where there is one.
        show_progress: Show a bar over the clips.
    """

    def __init__(
        self, model: str | PretrainedModel, device: str | None = None, show_progress: bool = True
    ) -> None:
        self.pretrained = load_model(model) if isinstance(model, str) else model
        self.broken: dict[str, str] = {}  # reason by clip, of the last call
        super().__init__(
            ConfigDict(), device=find_device(device), scope='mmaction', show_progress=show_progress
        )

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        batch_size: int = 8,
        window: float | None = None,
        stride: float | None = None,
        unit: str = 'seconds',
        return_windows: bool = False,
        out: str | Path | None = None,
    ) -> dict[str, Any]:
        """Embed clips; what cannot be read is left out, counted and named.

        Args:
            inputs: See :func:`mmact_ssl.apis.clips.find_clips`.
            batch_size: Windows at once.
            window, stride: Cut each clip into windows of this length, the last one flush with its
                end, as far apart as ``stride`` says, ``window`` by default. None: the clips that
                the model is evaluated on, spread over the whole clip.
            unit: ``'seconds'`` or ``'frames'``, of both; arrays have no seconds, and cannot be cut
                by them.
            return_windows: A row for each window, not the mean over them.
            out: ``.npz`` or ``.parquet`` to write; then rows go there clip by clip, with the same
                names, and what is left out to ``<out>.broken.txt``.

        Returns:
            ``names``: N strings; ``features``: float32 ``(N, C)``, not with ``out``; with
            ``return_windows`` ``starts`` and ``stops`` ``(N,)``; ``broken``: reason by clip.

        Raises:
            ConfigError: ``batch_size``, ``window``, ``stride`` or ``unit`` cannot be used.
            DataError: No clip can be read.
        """
        embedded = self.stream(inputs, batch_size, window, stride, unit)
        if out is None:
            return self.postprocess(list(embedded), None, return_windows=return_windows)
        names = []
        with open_feature_file(Path(out), self.pretrained.sha256, return_windows) as file:
            for clip in embedded:
                rows = clip if return_windows else mean_of(clip)
                names += [clip.name] * len(rows.values)
                file.write(rows.name, rows.spans, rows.values)
        listed = Path(f'{out}.broken.txt')
        listed.unlink(missing_ok=True)  # of an earlier call
        if self.broken:
            lines = ''.join(f'{name}: {reason}\n' for name, reason in self.broken.items())
            write_atomically(listed, lines)
        return dict(names=names, broken=dict(self.broken))

    def stream(
        self,
        inputs: Input | Sequence[Input],
        batch_size: int = 8,
        window: float | None = None,
        stride: float | None = None,
        unit: str = 'seconds',
        required: bool = True,
    ) -> Iterator[Embedded]:
        """Yield the features of clip after clip, as :meth:`__call__` reads them.

        No more than a batch of windows and one clip's features are held. If none can be read and
        one is ``required``, that is a DataError.
        """
        if batch_size < 1:
            raise ConfigError(f'batch_size={batch_size}: give one window or more')
        check_cut(window, stride, unit)
        self.broken = {}
        clips = self._inputs_to_list(inputs)
        batches = self.preprocess(clips, batch_size, window, stride, unit)
        rows = (row for batch in batches for row in self.forward(batch))
        read = 0
        for number, group in itertools.groupby(rows, key=lambda row: row.number):
            found = list(group)  # before asking whether a later window was broken
            name = clips[number].name
            values = np.stack([row.content for row in found])
            if not np.isfinite(values).all():
                self.broken[name] = 'its features are not finite'
            if name not in self.broken:
                read += 1
                yield Embedded(name, np.array([row.span for row in found], np.float64), values)
        if self.broken:
            shown = '; '.join(f'{n}: {reason}' for n, reason in list(self.broken.items())[:3])
            left_out = f'{len(self.broken)} of {len(clips)} clips are left out: {shown}'
            if required and not read:
                raise DataError(left_out)
            print_log(left_out, logger='current', level=logging.WARNING)

    def _inputs_to_list(self, inputs: Any) -> list[Clip]:
        """List the clips."""
        return find_clips(inputs, self.pretrained.card.kind, self.pretrained.card.layout)

    def preprocess(
        self,
        inputs: list[Clip],
        batch_size: int = 8,
        window: float | None = None,
        stride: float | None = None,
        unit: str = 'seconds',
    ) -> Iterator[list[Row]]:
        """Yield batches of windows, through the pipeline."""
        shown = track(
            inputs, 'features', disable=not self.show_progress, transient=True, total=len(inputs)
        )
        rows = (
            Row(number, span, sample)
            for number, clip in enumerate(shown)
            for span, sample in self._windows(clip, window, stride, unit)
        )
        while batch := list(itertools.islice(rows, batch_size)):
            yield batch

    def forward(self, inputs: list[Row], **kwargs: Any) -> list[Row]:
        """Features of a batch of windows."""
        values = self.pretrained.features([row.content for row in inputs]).float().cpu().numpy()
        return [row._replace(content=value) for row, value in zip(inputs, values)]

    def visualize(self, inputs: list, preds: Any, show: bool = False, **kwargs: Any) -> None:
        """Draw nothing: see ``tools/visualize.py gallery``."""

    def postprocess(
        self,
        preds: list[Embedded],
        visualization: None = None,
        return_datasample: bool = False,
        return_windows: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Put the clips together, see :meth:`__call__`."""
        rows = preds if return_windows else [mean_of(clip) for clip in preds]
        names = [clip.name for clip in rows for _ in clip.values]
        values = [clip.values for clip in rows]
        size = self.pretrained.card.feature_dim
        features = np.concatenate(values) if values else np.zeros((0, size), np.float32)
        result = dict(names=names, features=features, broken=dict(self.broken))
        if return_windows and rows:
            result['starts'], result['stops'] = np.concatenate([clip.spans for clip in rows]).T
        return result

    def _windows(
        self, clip: Clip, window: float | None, stride: float | None, unit: str
    ) -> Iterator[tuple[tuple[float, float], Any]]:
        """Samples of a clip's windows; one that cannot be read is noted and ends the clip."""
        if CONTROL.search(clip.name + clip.path):
            shown = clip.name.encode('unicode_escape').decode()
            self.broken[shown] = 'its name is not UTF-8 or has control characters, rename it'
            return
        try:
            with reading(clip.path or clip.name, FIX):
                given = clip.read()
                opener, rest = self.pipeline['array' not in given]
                results = opener(dict(given))
                total = results['total_frames']
                if not total:
                    raise ValueError('it has no frames')
            rate = 1.0
            if unit == 'seconds':
                rate = results.get('avg_fps') or (1.0 if window is None else 0.0)
                if not rate:
                    raise ConfigError(f"{clip.name}: seconds are not known; set unit='frames'")
            for number, (start, stop) in enumerate(spans(total, window, stride, rate)):
                if number and self.opens_anew:
                    with reading(clip.path or clip.name, FIX):
                        results = opener(dict(given))
                part = {**results, 'total_frames': stop - start, 'start_index': start}
                if 'keypoint' in results:
                    part['keypoint'] = results['keypoint'][:, start:stop].copy()
                    part['start_index'] = 0
                with reading(clip.path or clip.name, FIX):
                    sample = rest(part)
                yield (start / rate, stop / rate), sample
        except DataError as error:
            reason = reason_of(error).removesuffix(f': {FIX}')
            self.broken[clip.name] = reason.removeprefix(f'{clip.path or clip.name}: ')

    def _init_model(self, cfg: Any, weights: Any, device: str = 'cpu') -> PretrainedModel:
        """The network that is loaded already."""
        return self.pretrained.to(device)

    def _init_pipeline(self, cfg: Any) -> Any:
        """Two halves of the pipeline, of arrays (False) and of what the pipeline opens (True).

        The first half opens a video. Of frames that are there already, nothing is opened and
        mmaction2's ``ArrayDecode`` picks them.
        """
        steps = self.pretrained.card.pipeline
        opens = [i for i, step in enumerate(steps) if step['type'].endswith('Init')]
        cut = opens[0] + 1 if opens else 0
        self.opens_anew = bool(cut) and not steps[cut - 1]['type'].endswith(RANDOM_ACCESS)
        decoded = [
            dict(type='mmaction.ArrayDecode') if step['type'].endswith('Decode') else step
            for step in steps[cut:]
        ]
        return {
            True: (build_pipeline(steps[:cut]), build_pipeline(steps[cut:])),
            False: (build_pipeline([]), build_pipeline(decoded)),
        }


def check_cut(window: float | None, stride: float | None, unit: str) -> None:
    """Refuse what cuts no windows, as a ConfigError."""
    for name, value in dict(window=window, stride=stride).items():
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f'{name}={value}: give a length above 0')
    if window is None and stride is not None:
        raise ConfigError(f'stride={stride} is between windows: give window= too')
    if unit not in UNITS:
        raise ConfigError(f'unit={unit!r}: give one of {", ".join(UNITS)}')


def spans(
    total: int, window: float | None, stride: float | None, rate: float = 1.0
) -> list[tuple[int, int]]:
    """Where the windows of a clip begin and end, in frames; the last is flush with its end.

    Args:
        total: Frames of the clip; one no longer than the window is one window.
        window, stride: Lengths in units of ``1 / rate`` frames; None: the whole clip, the window.
        rate: Frames in a unit.
    """
    if window is None:
        return [(0, total)]
    length = max(round(window * rate), 1)
    step = max(round((stride or window) * rate), 1)
    last = max(total - length, 0)
    starts = [*range(0, last, step), last]
    return [(start, min(start + length, total)) for start in starts]


def mean_of(clip: Embedded) -> Embedded:
    """The mean over a clip's windows, in float64, as one row."""
    mean = clip.values.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    span = np.array([[clip.spans[:, 0].min(), clip.spans[:, 1].max()]])
    return Embedded(clip.name, span, mean)


def embed(
    model: str | PretrainedModel, inputs: Input | Sequence[Input], **options: Any
) -> np.ndarray:
    """Embed in one line: ``embed('csvr_r3d_demo', 'a.mp4')``.

    Args:
        model, inputs: As of :class:`FeatureInferencer`.
        options: As of its call: ``batch_size``, ``window``, ``stride``, ``unit``.

    Returns:
        float32 ``(C,)`` of one video or array, else ``(N, C)`` in the order of the clips.

    Raises:
        DataError: A clip cannot be read; a FeatureInferencer leaves it out.
    """
    found = FeatureInferencer(model, show_progress=False)(inputs, **options)
    if found['broken']:
        name, reason = next(iter(found['broken'].items()))
        raise DataError(f'{name}: {reason}; a FeatureInferencer leaves out what cannot be read')
    features = found['features']
    is_one = isinstance(inputs, (np.ndarray, Clip)) or (
        isinstance(inputs, (str, os.PathLike)) and os.path.isfile(inputs)
    )
    return features[0] if is_one and len(features) == 1 else features
