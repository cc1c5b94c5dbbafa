"""Targets of a sample: read from a cache, or prepared to train a teacher of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.part_layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS
from mmact_ssl.targets.cache import TargetCacheError, TargetReader
from mmact_ssl.targets.file import TOOL
from mmact_ssl.targets.meta import KINDS


@TRANSFORMS.register_module()
class LoadTargetCache(BaseTransform):
    """Put the cached targets of the chosen frames beside them.

    Required keys: ``filename`` (of a skeleton clip its name); but for sentences and whole videos
    ``total_frames``, ``frame_inds`` {view: int [T]}.

    Added keys: for poses ``poses`` {view: float32 [T, V, 3]}, x and y as fractions of the full
    frame, score 0..1. For others ``target_meta`` {target: TargetMeta} and ``<target>`` {view:
    float32}, by the kind of the cache:

    - embedding [T, D] of the frames, uncropped; of a teacher that reads clips [1, D], of the clip
      that the view is; with ``whole`` [1, D], the mean over all of the video;
    - map [T, C, h, w], probability 0..1 of each part over the whole frame; TransformViews moves
      them with the frames;
    - text [1, D], one of the video's sentences drawn at random, their mean, or all S of them
      [S, D].

    With ``missing='mask'`` also ``target_valid`` {target: {view: bool}}: False, and zeros in place
    of the text or embedding, where the video has none.

    Args:
        path: Folder of the cache.
        target: Name of the target; heads read it as ``<view>_<target>``. Poses are always 'pose'.
        views: Views to load for; each must be in ``frame_inds``.
        layout: Layout that the cache must have, of joints or of parts. 'default': 'coco17' for
            poses, any for maps. None: any. '' for maps that have none says that no part of them is
            left or right, so that a flip has nothing to exchange; more than two maps without a
            layout are refused unless that is said.
        teacher: Config file with a dict ``teacher``, or that dict. If given, a cache of another
            teacher is refused.
        kind: What the cache must hold. None: what ``target`` says if it is the name of a kind, else
            whatever it is.
        sentences: 'draw', 'mean' or 'all'.
        whole: Of embeddings, whether to take the mean over all of the video, for samples that are
            no frames of it: a skeleton clip beside the video that it was recorded with.
        missing: What to do with a video that the cache lacks. 'error', or, of sentences and whole
            videos, 'mask': mark it, for a head that leaves it out. An error nevertheless when the
            cache has none of the videos of the data set: names then do not fit.

    Raises:
        ConfigError: An argument is unknown, several maps have no layout, or (when called) a view
            is not the window of frames that a clip teacher reads, or the target's name is taken.
        TargetCacheError: The cache is missing, damaged, stale, of another kind or layout (when
            built); all videos are missing (when the data set is built); a video is missing or has
            another number of frames (when called).
    """

    def __init__(
        self,
        path: str,
        target: str = 'pose',
        views: Sequence[str] = ('clip',),
        layout: str | None = 'default',
        teacher: str | dict | None = None,
        kind: str | None = None,
        sentences: str = 'draw',
        missing: str = 'error',
        whole: bool = False,
    ) -> None:
        for name, value, choices in (
            ('sentences', sentences, ('draw', 'mean', 'all')),
            ('missing', missing, ('error', 'mask')),
        ):
            if value not in choices:
                raise ConfigError(f'LoadTargetCache: {name} is {value!r}, not one of {choices}')
        self.path = path
        self.target = target
        self.views = tuple(views)
        self.layout = layout
        self.sentences = sentences
        self.missing = missing
        self.whole = whole
        self.kind = target if kind is None and target in KINDS else kind
        fingerprint = None
        config = teacher if isinstance(teacher, str) else 'CONFIG'
        if teacher is not None:
            # Needed here only: the teachers import mmpose or onnxruntime.
            from mmact_ssl.models.teachers import build_teacher

            fingerprint = build_teacher(teacher).fingerprint()
        inputs = '--sentences FILE' if self.kind == 'text' else '--ann ANNOTATION'
        command = f'{TOOL} {config} {inputs} --out {path}'
        self.reader = TargetReader(path, fingerprint, command)
        self._check_kind()
        self._check_layout()
        kind_found = self.reader.meta.kind
        if whole and kind_found != 'embedding':
            raise ConfigError(
                f'LoadTargetCache: whole=True takes the mean of embeddings; {path} holds '
                f'{kind_found!r}: drop it'
            )
        if missing == 'mask':
            keys = self.reader.keys()
            one_row = whole or (kind_found == 'text' and sentences != 'all')
            if not one_row or not keys:
                raise ConfigError(
                    f"LoadTargetCache: missing='mask' needs a cache of sentences that is not empty "
                    f"and sentences='draw' or 'mean', or one of embeddings and whole=True; {path} "
                    f'has {len(keys)} entries of kind {kind_found!r}, sentences is {sentences!r}'
                )
            self._channels = self.reader.shape(keys[0])[1]

    def check_names(self, filenames: Iterable[str]) -> None:
        """Refuse to mask all videos of a data set, and log how many are masked.

        Raises:
            TargetCacheError: The cache has none of them.
        """
        if self.missing == 'error':
            return
        names = list(filenames)
        masked = self.reader.lookup_all(names).count(None)
        if masked and masked == len(names):
            raise TargetCacheError(
                f'target cache {self.path} has none of the {len(names)} annotated samples, e.g. '
                f'{names[0]!r}; it has {self.reader.keys()[0]!r}: make it again with '
                f'`{self.reader.command} --overwrite`, keyed by the names of the annotation'
            )
        if masked:
            print_log(
                f'{masked} of {len(names)} samples ({masked / len(names):.1%}) are not in the '
                f'target cache {self.path}: their {self.target!r} is masked',
                logger='current',
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the targets to one sample."""
        meta = self.reader.meta
        if meta.kind == 'pose':
            targets = results.setdefault('poses', {})
        else:
            known = results.setdefault('target_meta', {})
            if self.target in results and self.target not in known:
                raise ConfigError(
                    f'LoadTargetCache: the name {self.target!r} is taken by the sample; '
                    'choose another target'
                )
            known[self.target] = meta
            targets = results.setdefault(self.target, {})
        of_video = meta.kind == 'text' or self.whole
        targets.update(self._of_video(results) if of_video else self._frames(results))
        return results

    def _of_video(self, results: dict[str, Any]) -> dict[str, np.ndarray]:
        """What belongs to the video and not to frames: sentences, or the mean embedding."""
        if self.missing == 'error':
            key: str | None = self.reader.find(results['filename'])
        else:
            key = self._lookup(results)
        if key is None:
            values = np.zeros((1, self._channels), np.float32)
        elif self.whole:
            values = self.reader.get(key).mean(axis=0, keepdims=True)
        elif self.sentences == 'draw':
            values = self.reader.get(key, [np.random.randint(self.reader.shape(key)[0])])
        else:
            values = self.reader.get(key)
            if self.sentences == 'mean':
                values = values.mean(axis=0, keepdims=True)
        return {view: values.copy() for view in self.views}

    def _lookup(self, results: dict[str, Any]) -> str | None:
        """The key of a sample, and whether there is one beside the sample."""
        key = self.reader.lookup(results['filename'])
        valid = results.setdefault('target_valid', {})
        valid[self.target] = dict.fromkeys(self.views, key is not None)
        return key

    def _frames(self, results: dict[str, Any]) -> dict[str, np.ndarray]:
        key = self.reader.find(results['filename'])
        total = self.reader.shape(key)[0]
        if total != results['total_frames']:
            raise TargetCacheError(
                f'video {key!r} has {results["total_frames"]} frames but {total} targets in '
                f'the cache {self.path}: the video has changed, make the cache again with '
                f'`{self.reader.command} --overwrite`'
            )
        entries = [self._entries(results['frame_inds'], view, total) for view in self.views]
        values = self.reader.get(key, np.concatenate(entries))
        ends = np.cumsum([len(part) for part in entries])[:-1]
        return {view: part.copy() for view, part in zip(self.views, np.split(values, ends))}

    def _entries(self, frame_inds: dict[str, Any], view: str, total: int) -> np.ndarray:
        """Entries of the cache that a view needs, int64 [T] or, of a clip teacher, [1]."""
        if view not in frame_inds:
            raise KeyError(
                f'LoadTargetCache: view {view!r} is not among the sampled views '
                f'{sorted(frame_inds)}; add it to SampleViews or take it out of views'
            )
        inds = np.asarray(frame_inds[view], np.int64)
        if self.reader.meta.window is None:
            return inds
        num_frames, stride = self.reader.meta.window
        # The same clamping as SampleViews': frames beyond the end repeat the last one.
        window = np.minimum(inds[0] + stride * np.arange(num_frames), total - 1)
        if not np.array_equal(inds, window):
            raise ConfigError(
                f'LoadTargetCache: the view {view!r} has the frames {_shorten(inds)}, but the '
                f'cache {self.path} is of a teacher that reads clips: give this view '
                f'num_frames={num_frames}, stride={stride} in SampleViews'
            )
        return inds[:1]

    def _check_kind(self) -> None:
        found = self.reader.meta.kind
        if self.kind is not None and self.kind not in KINDS:
            raise ConfigError(
                f'LoadTargetCache: unknown kind {self.kind!r}; known are {", ".join(KINDS)}'
            )
        if self.kind is not None and found != self.kind:
            raise TargetCacheError(
                f'target cache {self.path} holds {found!r}, wanted {self.kind!r}: '
                'correct path, target or kind of LoadTargetCache'
            )
        if (found == 'pose') != (self.target == 'pose'):
            raise ConfigError(
                f"LoadTargetCache: poses, and only they, are the target 'pose'; {self.path} holds "
                f'{found!r}, and target is {self.target!r}'
            )

    def _check_layout(self) -> None:
        meta = self.reader.meta
        wanted = self.layout
        if wanted == 'default':
            wanted = 'coco17' if meta.kind == 'pose' else None
        if meta.kind == 'map' and not meta.layout:
            self._check_no_sides(declared=wanted == '')
        if wanted is None or meta.kind not in ('pose', 'map'):
            return
        known = list(LAYOUTS if meta.kind == 'pose' else PART_LAYOUTS)
        no_sides = meta.kind == 'map' and wanted == ''
        if wanted not in known and not no_sides:
            raise ConfigError(
                f'LoadTargetCache: unknown layout {wanted!r}; known are {", ".join(known)}'
            )
        if meta.layout != wanted:
            raise TargetCacheError(
                f'target cache {self.path} has the layout {meta.layout!r}, wanted '
                f'{wanted!r}: set layout={meta.layout!r} in LoadTargetCache'
            )

    def _check_no_sides(self, declared: bool) -> None:
        """Refuse maps that a flip would mirror without exchanging left and right parts."""
        keys = self.reader.keys()
        parts = self.reader.shape(keys[0])[1] if keys else 0
        if parts > 2 and not declared:
            raise ConfigError(
                f'LoadTargetCache: {self.path} has {parts} part maps and no layout, which a flip '
                'would mirror without exchanging left and right: make it again with one of the '
                f"layouts {', '.join(PART_LAYOUTS)}, or say by layout='' that no part of them is "
                'left or right'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(path={self.path!r}, target={self.target!r}, '
            f'views={self.views}, layout={self.layout!r}, kind={self.kind!r})'
        )


def _shorten(inds: np.ndarray) -> str:
    """The first frames of a view, for people."""
    return f'[{", ".join(map(str, inds[:4]))}{", ..." if len(inds) > 4 else ""}]'


@TRANSFORMS.register_module()
class WholeFrameBox(BaseTransform):
    """Make the whole frame the person's box, as a teacher without a person detector sees it.

    For mmpose's training pipelines, after ``LoadImage``.

    Required keys: ``img`` [H, W, 3].

    Modified keys: ``bbox`` float32 [1, 4] (left, top, right, bottom in pixels).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the box of one person."""
        height, width = results['img'].shape[:2]
        results['bbox'] = np.array([[0, 0, width, height]], np.float32)
        return results


def caches_read_by(part: Any) -> Iterator[tuple[str, str]]:
    """Target and path of every ``LoadTargetCache`` within a part of a config, such as a dataloader.

    Args:
        part: Of any nesting; what is neither a list nor a dict has none.
    """
    if isinstance(part, Mapping):
        if str(part.get('type', '')).endswith('LoadTargetCache'):
            yield part.get('target', 'pose'), part['path']
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            yield from caches_read_by(value)
