"""Features of videos and skeletons from a published model."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.device import get_device
from mmengine.logging import print_log
from rich.progress import track

from mmact_ssl.apis.clips import Clip, Input, find_clips, require_paths
from mmact_ssl.apis.windows import check_cut, frames_shown, spans
from mmact_ssl.configs.encoder_config import EncoderConfig
from mmact_ssl.datasets.layouts import COMMON
from mmact_ssl.datasets.transforms.skeleton.joints import persons_kept
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError, DataError, reason_of
from mmact_ssl.io.files import CONTROL, expand, reading, write_atomically, writing_whole
from mmact_ssl.targets.run_teachers import BLOCK_BYTES

FIX = 'repair it or leave it out'


@dataclass(frozen=True)
class Embedded:
    """The features of one clip.

    Attributes:
        spans: float64 ``(W, 2)``, start and end of each window in seconds; in frames for an array,
            whose seconds are unknown.
        values: float32 ``(W, C)``.
    """

    name: str
    spans: np.ndarray
    values: np.ndarray


class Row(NamedTuple):
    """One window of a clip; its content is a sample or, after the network, a feature."""

    number: int  # position of the clip
    span: tuple[float, float]
    content: Any


class FeatureInferencer:
    """Embed videos, frames or skeletons with a pre-trained model.

    ``FeatureInferencer('csvr_r3d_demo')('my/videos')['features']`` is float32 ``(N, C)``.

    Args:
        model: What :meth:`Encoder.load` takes, or a loaded encoder.
        device: Device of the network, by default a GPU if there is one.
        show_progress: Show a bar over the clips, if there are several.
        layout: Layout of skeletons in arrays, for a model of the common joints; by default the one
            layout of so many joints.
        encoder: See :meth:`Encoder.load`.
        coordinates: Values of a joint in arrays, see :func:`read_coordinates`.

    Raises:
        ConfigError: The model reads another layout.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Encoder,
        device: str | None = None,
        show_progress: bool = True,
        layout: str = '',
        encoder: str | None = None,
        coordinates: str = '',
    ) -> None:
        model = model if isinstance(model, Encoder) else Encoder.load(model, encoder)
        fold = getattr(model.backbone, 'folded', None)  # a copy, as the encoder may be the caller's
        self.encoder = replace(model, backbone=fold()) if fold else model
        self.layout = layout_of_arrays(self.encoder.config, layout)
        self.coordinates = coordinates
        self.show_progress = show_progress
        self.broken: dict[str, str] = {}  # reason by clip, in the last call
        self.encoder.to(device or get_device())
        self.open_clip, self.sample, self.finish = self.encoder.stages

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        batch_size: int = 8,
        window: float | None = None,
        stride: float | None = None,
        return_windows: bool = False,
        out: str | Path | None = None,
    ) -> dict[str, Any]:
        """Embed clips; unreadable ones are left out, counted and named.

        Args:
            inputs: See :func:`mmact_ssl.apis.clips.find_clips`.
            batch_size: Number of windows in a batch.
            window, stride: Cut each video into windows of ``window`` seconds, each ``stride``
                (default: ``window``) after the one before, the last one flush with the end. None:
                samples spread over the whole clip, as in the model's evaluation.
            return_windows: Return a row for each window, not the mean over them.
            out: ``.npz`` file to write with all arrays, and the model's name and hash; unreadable
                clips are listed in ``<out>.broken.txt``.

        Returns:
            ``names``: N strings; ``features``: float32 ``(N, C)``; with ``return_windows``
            ``starts`` and ``stops`` ``(N,)``; ``broken``: reason by clip.

        Raises:
            ConfigError: ``batch_size``, ``window``, ``stride`` or ``out`` cannot be used.
            DataError: No clip can be read.
        """
        if out is not None and not os.fspath(out).endswith('.npz'):
            raise ConfigError(f'{out}: features are written as .npz')
        embedded = self.stream(inputs, batch_size, window, stride)
        clips = [clip if return_windows else mean_of(clip) for clip in embedded]
        names = [clip.name for clip in clips for _ in clip.values]
        result: dict[str, Any] = dict(names=names)
        result['features'] = np.concatenate([clip.values for clip in clips])
        if return_windows:
            result['starts'], result['stops'] = np.concatenate([clip.spans for clip in clips]).T
        if out is not None:
            self._write(expand(out), result)
        return dict(result, broken=dict(self.broken))

    def _write(self, path: Path, arrays: dict[str, Any]) -> None:
        """Write the arrays of a call, and list what it left out."""
        origin: dict[str, Any] = dict(model=self.encoder.sha256, model_name=self.encoder.name)
        with writing_whole(path) as part, open(part, 'wb') as file:  # to a name savez adds a suffix
            np.savez(file, **origin, **arrays)
        listed = Path(f'{path}.broken.txt')
        listed.unlink(missing_ok=True)  # of an earlier call
        if self.broken:
            lines = ''.join(f'{name}: {reason}\n' for name, reason in self.broken.items())
            write_atomically(listed, lines)

    def stream(
        self,
        inputs: Input | Sequence[Input],
        batch_size: int = 8,
        window: float | None = None,
        stride: float | None = None,
        required: bool = True,
    ) -> Iterator[Embedded]:
        """Yield the features of one clip after the other, see :meth:`__call__`.

        Memory holds a batch of windows and one clip's features.

        Args:
            required: Raise DataError if no clip can be read.
        """
        if batch_size < 1:
            raise ConfigError(f'batch_size={batch_size}: give one window or more')
        check_cut(window, stride)
        self.broken = {}
        clips = self.find_clips(inputs)
        is_shown = len(clips) > 1 and self.show_progress  # an old rich prints a hidden bar's end
        tracked = track(clips, 'features', transient=True) if is_shown else clips
        samples = (
            Row(number, span, sample)
            for number, clip in enumerate(tracked)
            for span, sample in self._windows(clip, window, stride)
        )
        rows = self._embed(samples, batch_size)
        read = 0
        for number, group in itertools.groupby(rows, key=lambda row: row.number):
            windows = list(group)  # before a check for broken windows of the clip
            name = clips[number].name
            values = np.stack([row.content for row in windows])
            if not np.isfinite(values).all():
                self.broken[name] = 'its features are not finite'
            if name not in self.broken:
                read += 1
                yield Embedded(name, np.array([row.span for row in windows], np.float64), values)
        unread = f'{len(self.broken)} of {len(clips)} clips cannot be embedded'
        reasons = [f'{name}: {reason}' for name, reason in self.broken.items()]
        if required and not read:
            shown = '; '.join(reasons[:3])
            raise DataError(f'{unread}: {shown}' if clips else 'the list of clips is empty')
        if reasons:
            lines = '\n'.join([f'{unread} and are left out:', *reasons])
            print_log(lines, logger='current', level=logging.WARNING)

    def find_clips(self, inputs: Any) -> list[Clip]:
        """List the clips."""
        kind = 'skeleton' if self.encoder.config.is_skeleton else 'video'
        return find_clips(inputs, kind, self.layout, self.coordinates)

    def _embed(self, samples: Iterator[Row], batch_size: int) -> Iterator[Row]:
        """Replace the samples of windows by their features."""
        while batch := list(itertools.islice(samples, batch_size)):
            values = self.encoder.features([row.content for row in batch]).float().cpu().numpy()
            yield from (row._replace(content=value) for row, value in zip(batch, values))

    def _windows(
        self, clip: Clip, window: float | None, stride: float | None
    ) -> Iterator[tuple[tuple[float, float], Any]]:
        """Samples of a clip's windows; an unreadable one is recorded and ends the clip."""
        if CONTROL.search(clip.name + clip.path):
            shown = clip.name.encode('unicode_escape').decode()
            self.broken[shown] = 'its name is not UTF-8 or has control characters, rename it'
            return
        path = clip.path or clip.name
        try:
            with reading(path, FIX):
                yield from self._samples(clip, window, stride)
        except DataError as error:
            reason = reason_of(error).removesuffix(f': {FIX}')
            self.broken[clip.name] = reason.removeprefix(f'{path}: ')

    def _samples(
        self, clip: Clip, window: float | None, stride: float | None
    ) -> Iterator[tuple[tuple[float, float], Any]]:
        """Samples of a clip's windows, in order; a video is opened once."""
        results = self.open_clip(clip.read())
        reader = results.pop('video_reader', None)
        total = results['total_frames']
        if not total:
            raise ValueError('it has no frames')
        with reader or nullcontext():
            if reader is None:
                if window is not None:
                    raise ConfigError(f'{clip.name}: has no seconds: leave window out')
                yield (0, total), self.finish(self._part(results, 0, total))
                return
            if self.encoder.config.motion and (rate := results['avg_fps']) < 8:
                line = f'{clip.name}: has {rate:.1f} frames per second, and motion needs 8 or more'
                print_log(line, logger='current', level=logging.WARNING)
            parts = (
                (span, self._part(results, *frames_shown(reader.seconds, *span)))
                for span in spans(reader.duration, window, stride, total)
            )
            # A read decodes from the key frame before it: a read for each window would be slow.
            size = 1
            while block := list(itertools.islice(parts, size)):
                frames = reader.read({*np.concatenate([p['frame_inds'].ravel() for _, p in block])})
                size = max(1, BLOCK_BYTES * len(block) // (reader.frame_bytes * len(frames)))
                for span, part in block:
                    yield span, self.finish({**part, 'array': frames})

    def _part(self, results: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
        """Choose the frames of a window, those from ``start`` to ``stop - 1``."""
        part = {**results, 'total_frames': stop - start, 'start_index': start}
        if 'keypoint' in results:
            persons = persons_kept(self.encoder.transform.transforms)
            part.update(keypoint=results['keypoint'][:persons])
        return self.sample(part)


def layout_of_arrays(encoder: EncoderConfig, layout: str) -> str:
    """Layout of skeletons in arrays, as asked or as the model's; '' to find it by their joints."""
    own = encoder.layout
    if layout and own not in (layout, COMMON):
        reads = f'reads the layout {own}' if own else 'reads videos'
        raise ConfigError(f'layout={layout!r}: {encoder.source} {reads}')
    return layout or ('' if own == COMMON else own)


def mean_of(clip: Embedded) -> Embedded:
    """The mean over a clip's windows, in float64, as one row."""
    mean = clip.values.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    span = np.array([[clip.spans[:, 0].min(), clip.spans[:, 1].max()]])
    return Embedded(clip.name, span, mean)


def embed(
    model: str | os.PathLike[str] | Encoder,
    inputs: Input | Sequence[Input],
    layout: str = '',
    coordinates: str = '',
) -> np.ndarray:
    """Embed in one line: ``embed('csvr_r3d_demo', 'a.mp4')``.

    Args:
        model, inputs, layout, coordinates: As in :class:`FeatureInferencer`.

    Returns:
        float32 ``(C,)`` for one video or array, else ``(N, C)`` in the order of the clips, those of
        a folder sorted by their paths.

    Raises:
        DataError: A clip cannot be read; a FeatureInferencer leaves it out.
    """
    require_paths(inputs)  # before the network is built
    result = FeatureInferencer(model, layout=layout, coordinates=coordinates)(inputs)
    if result['broken']:
        name, reason = next(iter(result['broken'].items()))
        raise DataError(f'{name}: {reason}; a FeatureInferencer leaves out what cannot be read')
    features = result['features']
    is_one = isinstance(inputs, (np.ndarray, Clip)) or (
        isinstance(inputs, (str, os.PathLike)) and expand(inputs).is_file()
    )
    return features[0] if is_one and len(features) == 1 else features
