"""Transform that loads a sample's cached targets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.datasets.shards import video_hash
from mmact_ssl.datasets.transforms.formatting import check_views
from mmact_ssl.errors import BrokenSampleError, ConfigError
from mmact_ssl.registry import TRANSFORMS
from mmact_ssl.targets.broken_videos import read_broken
from mmact_ssl.targets.cache import TOOL, TargetReader, names_of
from mmact_ssl.targets.meta import AXES, TargetCacheError

# Teacher of poses in the command that an error message suggests.
POSE_TEACHER = 'mmact_ssl::teachers/rtmpose-t_coco.py'
PROMPTS = 'mmact-ssl prompts'


@TRANSFORMS.register_module()
class LoadTargets(BaseTransform):
    """Load the cached targets of the chosen frames.

    Poses and maps must be loaded before DecodeViews, else ConfigError.

    Required keys: ``filename`` (a skeleton clip's name); for targets of frames also
    ``total_frames``, ``frame_inds`` {view: int (T,)}.

    Added keys: ``sided_views``, the names of the views with sentences, which may name left and
    right, so that PackInputs refuses them beside a flip;
    ``target_meta`` {target: TargetMeta} and ``targets`` {view: {target: float32}}, by the kind of
    the cache:

    - pose (T, V, 3), x and y as fractions of the full frame, score 0..1; TransformViews moves them
      with the frames;
    - map (T, C, h, w), probability 0..1 of each part over the whole frame; TransformViews moves
      them with the frames;
    - embedding (T, D) of the uncropped frames; (1, D) of the view's clip, for a teacher that reads
      clips, or the mean over ``windows``; (1, D), the mean over the whole video, with ``whole``;
    - text (1, D), one of the video's sentences drawn at random, or their mean.

    With ``missing='mask'`` also ``targets`` {view: {``<target>_valid``: bool}}. For a video without
    a target it is False, and the target is zero.

    Args:
        target: Name of the target; heads read it as ``targets.<view>.<target>``.
        cache: Name of the cache in the folder ``targets`` of the data set, or a path with a slash.
            The data set passes its folder to :meth:`bind` when it builds the pipeline.
        views: Views that get the target.
        layout: Layout of joints or parts that the cache must have. 'default': 'coco17' for poses,
            any for maps. None: any.
        kind: Kind that the cache must have. None: the target's name if that is a kind, else any.
        sentences: 'draw' or 'mean'.
        missing: Treatment of a video that the cache lacks: 'error', or 'mask' for sentences and
            whole videos, for heads that leave masked targets out. If the cache has none of the data
            set's videos, the names do not fit: this is always an error.
        whole: Load the mean embedding of the whole video, for samples that are not its frames, such
            as a skeleton clip that was recorded with the video.
        windows: Load the mean embedding of the teacher's clips within the view, half a clip apart,
            or of the one around a shorter view; else the view must be a clip of the teacher.
        key: Key of a sample in the cache, with ``{}`` for its annotated name, such as
            'videos/{}_rgb.avi' for skeleton clips with videos of other names.
    """

    def __init__(
        self,
        target: str = 'pose',
        cache: str = 'pose.lmdb',
        views: Sequence[str] = ('clip',),
        layout: str | None = 'default',
        kind: str | None = None,
        sentences: str = 'draw',
        missing: str = 'error',
        whole: bool = False,
        windows: bool = False,
        key: str = '{}',
    ) -> None:
        if '{}' not in key:
            raise ConfigError(f"LoadTargets: key={key!r} lacks '{{}}' for the sample's name")
        if missing not in ('error', 'mask'):
            raise ConfigError(f"LoadTargets: missing={missing!r}: 'error' or 'mask'")
        if sentences not in ('draw', 'mean'):
            raise ConfigError(f"LoadTargets: sentences={sentences!r}: 'draw' or 'mean'")
        self.target = target
        self.cache = cache
        self.views = tuple(views)
        self.layout = layout
        self.kind = target if kind is None and target in AXES else kind
        self.sentences = sentences
        self.mask = missing == 'mask'
        self.whole = whole
        self.windows = windows
        self.key = key

    def bind(self, root: str | os.PathLike[str], videos: str = '') -> LoadTargets:
        """Open the cache.

        Args:
            root: Folder of the data set's annotation file.
            videos: Folder to which annotated names are relative; '' if samples have only names.

        Raises:
            ConfigError: The cache does not fit the arguments.
            TargetCacheError: The cache is missing, damaged, of another kind or layout.
        """
        path = cache_path(self.cache, root)
        self.videos = os.path.join(videos, '')
        self.reader = TargetReader(path, self._command(path, root))
        self._check()
        self.broken = read_broken(path)
        return self

    def _command(self, path: str, root: str | os.PathLike[str]) -> str:
        """Command that makes the cache of the data set in a folder."""
        folder, name, out = Path(root), Path(path).stem, shlex.quote(path)
        data = shlex.quote(str(folder))
        if self.kind == 'text':
            file = shlex.quote(str(folder / 'sentences_kinematic.json'))
            embed = f'{TOOL} mmact_ssl::teachers/minilm.py --sentences {file} --out {out}'
            return f'{PROMPTS} kinematic --data {data} && {embed}'
        if self.layout == 'pose_parts':
            poses = cache_path('pose.lmdb', root)
            make = '' if os.path.exists(poses) else f'{LoadTargets()._command(poses, root)} && '
            return f'{make}{TOOL} draw-parts {shlex.quote(poses)} --data {data}'
        if (self.kind, name) == ('pose', 'pose'):
            own_poses = folder / 'poses.npz'  # of the set itself; a teacher's have other joints
            is_own = own_poses.is_file()
            source = f'import-npz {shlex.quote(str(own_poses))}' if is_own else POSE_TEACHER
            return f'{TOOL} {source} --data {data}'
        shipped = f'teachers/{name}.py'
        config = f'mmact_ssl::{shipped}' if (CONFIGS / shipped).is_file() else 'CONFIG'
        return f'{TOOL} {config} --data {data} --out {out}'

    def check_names(self, filenames: Iterable[str]) -> None:
        """Check the names of all samples, and log how many samples are masked.

        Raises:
            TargetCacheError: All samples would be masked.
        """
        if not self.mask:
            return
        names = [self._key_of(name) for name in filenames]
        keys = self.reader.lookup_all(names)
        masked = keys.count(None)
        if masked and masked == len(names):
            raise TargetCacheError(
                f'target cache {self.reader.path} has none of the {len(names)} annotated samples, '
                f'e.g. {names[0]!r}; it has {self.reader.keys()[0]!r}: make it again with '
                f'`{self.reader.command} --overwrite`, keyed by the names of the annotation, or '
                'correct key of LoadTargets'
            )
        if masked:
            print_log(
                f'{masked} of {len(names)} samples ({masked / len(names):.1%}) are not in the '
                f'target cache {self.reader.path}: their {self.target!r} is masked',
                logger='current',
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the targets to a sample."""
        meta = self.reader.meta
        is_of_video = meta.kind == 'text' or self.whole
        values = self._of_video(results) if is_of_video else self._of_frames(results)
        results.setdefault('target_meta', {})[self.target] = meta
        if meta.kind == 'text':
            results['sided_views'] = (*results.get('sided_views', ()), *self.views)
        for view, entries in values.items():
            targets = results.setdefault('targets', {}).setdefault(view, {})
            if self.target in targets:
                raise ConfigError(
                    f'LoadTargets: the view {view!r} has a target {self.target!r} already; choose '
                    'another name'
                )
            targets.update(entries)
        return results

    def _key_of(self, filename: str) -> str:
        return self.key.replace('{}', filename.removeprefix(self.videos))

    def _name_of(self, filename: str) -> str:
        """Name of a sample in the cache; BrokenSampleError if extraction could not decode it."""
        name = self._key_of(filename)
        for broken in names_of(name):
            if broken in self.broken:
                raise BrokenSampleError(filename, self.broken[broken])
        return name

    def _of_video(self, results: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Load a target of the whole video: a sentence or the mean embedding."""
        filename = results['filename']
        (key,) = self.reader.lookup_all([self._key_of(filename)])
        if key is None and self.mask:
            values = np.zeros((1, self._channels), np.float32)
        else:
            key = key or self.reader.find(self._name_of(filename))
            draw = self.sentences == 'draw' and not self.whole
            index = [np.random.randint(self.reader.shape(key)[0])] if draw else None
            values = self.reader.get(key, index)
            if self.whole or self.sentences == 'mean':
                values = values.mean(axis=0, keepdims=True)
        valid = {f'{self.target}_valid': key is not None} if self.mask else {}
        return {view: {self.target: values.copy(), **valid} for view in self.views}

    def _of_frames(self, results: dict[str, Any]) -> dict[str, dict[str, Any]]:
        name, total = self._name_of(results['filename']), results['total_frames']
        if 'views' in results and self.reader.meta.kind in ('pose', 'map'):
            raise ConfigError(
                f'LoadTargets: {self.target!r} would not follow the frames, which are decoded '
                'already: put LoadTargets before DecodeViews'
            )
        check_views(self, self.views, results['frame_inds'])
        entries = [self._entries(results['frame_inds'], view, total) for view in self.views]
        source = video_hash(results['filename'])  # takes 0.1 ms
        values = self.reader.get_frames(name, np.concatenate(entries), total, source)
        parts = np.split(values, np.cumsum([len(part) for part in entries])[:-1])
        if self.windows:
            parts = [part.mean(axis=0, keepdims=True) for part in parts]
        return {view: {self.target: part.copy()} for view, part in zip(self.views, parts)}

    def _entries(self, frame_inds: dict[str, Any], view: str, total: int) -> np.ndarray:
        """Entries of the cache that a view needs, int64 (T,), or (1,) for a clip teacher."""
        inds = np.asarray(frame_inds[view], np.int64)
        if self.reader.meta.window is None:
            return inds
        num_frames, stride = self.reader.meta.window
        if self.windows:
            span = stride * (num_frames - 1)
            first, last = inds.min(), max(inds.max() - span, inds.min())
            around = max(span - (inds.max() - inds.min()), 0) // 2
            starts = np.arange(first - around, last - around + 1, max(span // 2, 1))
            return np.clip(starts, 0, max(total - 1 - span, 0))
        # As in SampleViews, frames beyond the end repeat the last frame.
        window = np.minimum(inds[0] + stride * np.arange(num_frames), total - 1)
        if not np.array_equal(inds, window):
            raise ConfigError(
                f'LoadTargets: the view {view!r} has the frames {inds[:4].tolist()}..., but the '
                f'cache {self.reader.path} is of a teacher that reads clips: give this view '
                f'num_frames={num_frames}, stride={stride} in SampleViews'
            )
        return inds[:1]

    def _check(self) -> None:
        """Refuse a cache of another kind or layout, and arguments that do not fit it."""
        path, meta = self.reader.path, self.reader.meta
        if self.kind is not None and meta.kind != self.kind:
            raise TargetCacheError(
                f'target cache {path} holds {meta.kind!r}, wanted {self.kind!r}: '
                'correct cache, target or kind of LoadTargets'
            )
        layout = self.layout
        if layout == 'default':
            layout = 'coco17' if meta.kind == 'pose' else None
        if meta.kind in ('pose', 'map') and layout not in (None, meta.layout):
            raise TargetCacheError(
                f'target cache {path} has the layout {meta.layout!r}, wanted '
                f'{layout!r}: set layout={meta.layout!r} in LoadTargets'
            )
        keys = self.reader.keys() if self.mask else []
        if (self.whole or self.windows) and meta.kind != 'embedding':
            raise ConfigError(
                f'LoadTargets: whole and windows take the mean of embeddings; {path} holds '
                f'{meta.kind!r}'
            )
        if self.mask and not (keys and (self.whole or meta.kind == 'text')):
            raise ConfigError(
                f"LoadTargets: missing='mask' needs sentences, or embeddings and whole=True, and a "
                f'cache that is not empty; {path} holds {len(keys)} {meta.kind!r}'
            )
        # Of the zeros that replace masked targets.
        self._channels = self.reader.shape(keys[0])[1] if keys else 0


def cache_path(cache: str, root: str | os.PathLike[str]) -> str:
    """Path of a cache: a bare name lies in the folder ``targets`` of the data set."""
    return cache if '/' in cache else os.path.join(root, 'targets', cache)


def caches_read_by(part: Any, root: str = '') -> Iterator[tuple[str, str]]:
    """Yield target and path of every ``LoadTargets`` in a part of a config, such as a dataloader.

    ``root`` is the folder of the data set, unless the part contains an ``ann_file``.
    """
    if isinstance(part, Mapping):
        if 'ann_file' in part:
            root = os.path.dirname(os.path.join(part.get('data_root') or '', part['ann_file']))
        if str(part.get('type', '')).rpartition('.')[2] == 'LoadTargets':
            cache = part.get('cache', 'pose.lmdb')
            yield part.get('target', 'pose'), cache_path(cache, root)
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            yield from caches_read_by(value, root)
