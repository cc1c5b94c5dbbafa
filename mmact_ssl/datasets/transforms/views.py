"""Transforms that choose, decode and augment the views of a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.formatting import check_views, targets_of_kind
from mmact_ssl.datasets.transforms.geometry import HorizontalFlip, crop_maps, probes, view_box
from mmact_ssl.datasets.transforms.reading import copy_frames
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError, ConfigError
from mmact_ssl.registry import SCOPE, TRANSFORMS

# Settings of each view.
SETTINGS = {
    **dict.fromkeys(('clip', 'clip_b'), ('num_frames', 'stride', 'segments')),
    'future': ('num_frames', 'stride'),
    'keyframes': ('num_frames',),
}
# Transforms of mmaction2 that change frames and leave poses behind, or left and right as they were.
FRAMES_ONLY = ('Flip', 'ImgAug', 'PytorchVideoWrapper', 'TorchVisionWrapper')
# Operations of torchvision that move nothing.
COLOR_OPS = (
    *('ColorJitter', 'GaussianBlur', 'Grayscale', 'RandomAdjustSharpness', 'RandomAutocontrast'),
    *('RandomEqualize', 'RandomGrayscale', 'RandomInvert', 'RandomPosterize', 'RandomSolarize'),
)


@TRANSFORMS.register_module()
class SampleViews(BaseTransform):
    """Choose the frames of each view of a video.

    ``clip``: ``num_frames`` frames from a random start, ``stride`` apart. With ``segments``: one
    random frame from each of ``num_frames`` equal parts of the video. ``clip_b``: a second clip,
    drawn independently. ``future``: its own number of frames, from one clip stride after the clip's
    last frame on. ``keyframes``: the key frames nearest to the clip's center in decoding order,
    returned in the order of the video.

    A start is uniform over all positions at which clip and future fit. If ``stride`` is a list, one
    is drawn uniformly among the eligible strides. A stride is eligible if the video has as many
    frames as clip and future span, each of their frames counted as a whole stride. If none is, the
    smallest is taken. In a video too short for its stride the start is 0. Frames beyond the end
    repeat the last frame and are not valid. Missing key frames repeat the last one and are not
    valid.

    With segments, the future starts at random in the second half of its possible starts, and the
    segments divide the video before it. If a video has fewer frames than parts, several parts show
    the same frame; all of them are valid.

    Required keys: ``filename``. Added keys: ``total_frames``; ``frame_inds`` {view: int64 (T,)};
    ``targets`` {view: ``valid`` bool (T,) and, for a list of strides, ``speed``, the drawn stride};
    ``video_reader``, which ``DecodeViews`` closes and removes.

    Args:
        clip: ``num_frames`` and ``stride`` (an int or a list to draw from), or ``segments=True``.
        future: ``num_frames`` and ``stride`` of the future; by default the clip's stride. None: no
            such view.
        keyframes: ``num_frames``, the number of slots. None: no such view.
        test_mode: Take the middle start instead of a random one, and the middle frame of each part;
            with ``clip_b``, the first for the clip and the last for ``clip_b``. If several strides
            fit, take the first.
        clip_b: Settings of the second clip, as for ``clip``. None: no such view.
        differ: Draw the second clip's stride among the strides that differ from the clip's, even
            if none of these fits.

    Source: clip, future and keyframes are CSVR's views, clip and clip_b DTG-Net's image sequences,
    and at two speeds those of RSPNet (arXiv 2011.07949); segments are TSN's (arXiv 1608.00859).
    Positions, repetition and the choice of a speed are ours.
    """

    def __init__(
        self,
        clip: Mapping[str, Any],
        future: Mapping[str, Any] | None = None,
        keyframes: Mapping[str, int] | None = None,
        test_mode: bool = False,
        clip_b: Mapping[str, Any] | None = None,
        differ: bool = False,
    ) -> None:
        self.test_mode = test_mode
        self.differ = differ
        views = dict(clip=clip, clip_b=clip_b, future=future, keyframes=keyframes)
        # An inherited config cannot remove a view or a setting, only set it to None.
        used = {
            view: {key: value for key, value in settings.items() if value is not None}
            for view, settings in views.items()
            if settings is not None
        }
        for view, settings in used.items():
            if unknown := sorted(settings.keys() - {*SETTINGS[view]}):
                known = ', '.join(SETTINGS[view])
                raise ConfigError(f'SampleViews: {view}.{unknown[0]} is not a setting, use {known}')
            if settings.get('segments') and 'stride' in settings:
                raise ConfigError(
                    f'SampleViews: {view} has segments and stride, set {view}.stride=None or '
                    f'{view}.segments=None'
                )
        self.future, self.keyframes = used.pop('future', None), used.pop('keyframes', None)
        self.clips = used
        if self.future and used['clip'].get('segments') and 'stride' not in self.future:
            raise ConfigError('SampleViews: a clip of segments has no stride, set future.stride')
        own, *others = ({*np.ravel(settings.get('stride', ()))} for settings in used.values())
        if differ and any(len(strides) == 1 and strides <= own for strides in others):
            raise ConfigError('SampleViews: differ needs a second stride in clip_b')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        reader = VideoReader(results['filename'])
        total = reader.total_frames
        if total < 2:
            reader.close()
            raise BrokenSampleError(results['filename'], 'has fewer than 2 frames')
        frame_inds: dict[str, np.ndarray] = {}
        targets: dict[str, dict[str, Any]] = {}
        strides = self._choose_strides(total)
        for view in self.clips:
            placed = (
                self._place_clip(view, total, strides[view])
                if view in strides
                else self._place_segments(view, total)
            )
            for name, inds in placed.items():
                frame_inds[name] = np.minimum(inds, total - 1)
                targets[name] = {'valid': inds < total}
        if self.keyframes is not None:
            clip_inds = frame_inds['clip'][targets['clip']['valid']]
            center = int(clip_inds[0] + clip_inds[-1]) // 2
            slots = self.keyframes['num_frames']
            keys = reader.keyframes_near(center, slots)
            frame_inds['keyframes'] = np.append(keys, np.repeat(keys[-1:], slots - len(keys)))
            targets['keyframes'] = {'valid': np.arange(slots) < len(keys)}
        for view, stride in strides.items():
            if not isinstance(self.clips[view]['stride'], int):
                targets[view]['speed'] = stride
        results.update(
            total_frames=total, frame_inds=frame_inds, targets=targets, video_reader=reader
        )
        return results

    def _choose_strides(self, total: int) -> dict[str, int]:
        """Draw the stride of each clip that is not made of segments."""
        drawn: dict[str, int] = {}
        for view, clip in self.clips.items():
            if clip.get('segments'):
                continue
            strides = np.atleast_1d(clip['stride']).tolist()
            if view == 'clip_b' and self.differ:
                strides = [stride for stride in strides if stride != drawn.get('clip')]
            eligible = [
                stride
                for stride in strides
                if max(inds[-1] for inds in self._offsets(view, stride).values()) + stride <= total
            ] or [min(strides)]
            if len(eligible) == 1 or self.test_mode:
                drawn[view] = eligible[0]
            else:
                drawn[view] = eligible[np.random.randint(len(eligible))]
        return drawn

    def _offsets(self, view: str, stride: int) -> dict[str, np.ndarray]:
        """Frames of a clip and of its future, relative to the clip's start."""
        num_frames = self.clips[view]['num_frames']
        offsets = {view: np.arange(num_frames) * stride}
        if view == 'clip' and self.future is not None:
            after = np.arange(self.future['num_frames']) * int(self.future.get('stride', stride))
            offsets['future'] = num_frames * stride + after
        return offsets

    def _place_clip(self, view: str, total: int, stride: int) -> dict[str, np.ndarray]:
        """Draw the frames of a clip and of its future; they may lie beyond the video's end."""
        offsets = self._offsets(view, stride)
        last = max(int(inds[-1]) for inds in offsets.values())
        start = self._pick(view, max(total - last, 1))
        return {name: start + inds for name, inds in offsets.items()}

    def _place_segments(self, view: str, total: int) -> dict[str, np.ndarray]:
        """Draw a frame from each part of the video, or of the video before the future."""
        drawn = {}
        end = total
        if view == 'clip' and self.future is not None:
            after = np.arange(self.future['num_frames']) * self.future['stride']
            latest = max(total - 1 - int(after[-1]), 1)
            end = (latest + 1) // 2 + int(self._pick(view, latest // 2 + 1))
            drawn['future'] = end + after
        parts = self.clips[view]['num_frames']
        edges = np.arange(parts + 1) * end // parts
        return {view: edges[:-1] + self._pick(view, np.maximum(np.diff(edges), 1)), **drawn}

    def _pick(self, view: str, count: int | np.ndarray) -> Any:
        """Draw a position below ``count``; for an array of counts, one below each."""
        if not self.test_mode:
            return np.random.randint(count)
        if 'clip_b' not in self.clips:
            return (count - 1) // 2
        return count - 1 if view == 'clip_b' else 0 * count


@TRANSFORMS.register_module()
class DecodeViews(BaseTransform):
    """Decode the chosen frames of all views in one pass, scaled while decoding.

    Required keys: ``frame_inds``, ``video_reader`` (removed); optional: poses in ``targets`` of any
    view (``target_meta`` of kind 'pose'), float32 (T, V, 3), x and y as fractions of the frame.

    Added keys: ``views`` {view: list of T RGB uint8 arrays (H, W, 3)}. Modified keys: the poses
    become float64, with x and y in continuous pixels of the decoded frame: pixel i covers
    [i, i + 1).

    Args:
        short_side: Short side of the decoded frames in pixels; None keeps their size.
    """

    def __init__(self, short_side: int | None = 128) -> None:
        self.short_side = short_side

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frame_inds = results['frame_inds']
        with results.pop('video_reader') as reader:
            frames = reader.read(np.concatenate(list(frame_inds.values())), self.short_side)
        results['views'] = {view: copy_frames(frames, inds) for view, inds in frame_inds.items()}
        for view, images in results['views'].items():
            for name in targets_of_kind('pose', results, view):
                height, width = images[0].shape[:2]
                # In float64, so that packing an unmoved pose restores the exact fractions.
                results['targets'][view][name] = results['targets'][view][name] * np.array(
                    [width, height, 1], np.float64
                )
        return results


@TRANSFORMS.register_module()
class TransformViews(BaseTransform):
    """Run mmaction2's transforms on frames, poses and part maps of some views together.

    The frames of the views are joined to one ``imgs`` and the poses to one ``keypoint`` (1, T, V,
    2) and ``keypoint_score`` (1, T, V), as mmaction2's transforms need them. All views of one
    TransformViews therefore share one random draw (the same crop, the same flip). Two
    TransformViews draw independently.

    With part maps, ``keypoint`` contains three more persons: probes whose movement shows how the
    transforms move the frames (see geometry.py). A transform that depends on the key points, such
    as mmaction2's PoseCompact, would take the probes for persons; do not use one with part maps.

    Views with poses or part maps refuse transforms of mmaction2 that would not move these: ``Flip``
    (use ``HorizontalFlip``), ``ImgAug``, ``PytorchVideoWrapper``, and ``TorchVisionWrapper`` unless
    its ``op`` is one of COLOR_OPS. Poses refuse a ``HorizontalFlip`` of another layout, even of as
    many joints.

    Required keys: ``views``; optional: targets of the views whose ``target_meta`` is of kind
    'pose', (T, V, 3) in pixels, or 'map', float32 (T, C, h, w) over the whole frame. Modified keys:
    the same; maps then cover the whole view. Added keys: ``mirrored_views``, as of
    MakeSkeletonViews.

    Args:
        views: Names of the views to join.
        transforms: Configs of transforms on ``imgs``, ``keypoint``, ``keypoint_score``,
            ``img_shape``. They must keep the number and order of frames; with part maps they must
            be crops, resizes, HorizontalFlip and changes of color.
        map_size: (h, w) of the resized part maps. None keeps their size.
    """

    def __init__(
        self,
        views: Sequence[str],
        transforms: Sequence[Mapping[str, Any]],
        map_size: Sequence[int] | None = None,
    ) -> None:
        self.views = tuple(views)
        self.map_size = None if map_size is None else tuple(map_size)
        self.transforms = [TRANSFORMS.build({'_scope_': SCOPE, **config}) for config in transforms]
        self.parts = [*_flatten(self.transforms)]
        self.mirrored = self.views if any(getattr(p, 'flip_ratio', 0) for p in self.parts) else ()
        flips = (part for part in self.parts if isinstance(part, HorizontalFlip))
        self.num_joints = next((LAYOUTS[flip.layout].num_joints for flip in flips), 1)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = results['views']
        check_views(self, self.views, frames)
        results['mirrored_views'] = (*results.get('mirrored_views', ()), *self.mirrored)
        imgs = [frame for view in self.views for frame in frames[view]]
        shape, *others = {img.shape[:2] for img in imgs}
        if others:
            raise ValueError(
                f'TransformViews: the frames of the views {self.views} differ in '
                f'size, {sorted([shape, *others])}; transform these views apart'
            )
        joined: dict[str, Any] = dict(imgs=imgs, img_shape=shape, original_shape=shape)
        joined |= dict(modality='RGB', num_clips=1, clip_len=len(imgs))
        targets = results.get('targets', {})
        poses, maps = (
            [(view, name) for view in self.views for name in targets_of_kind(kind, results, view)]
            for kind in ('pose', 'map')
        )
        if poses or maps:
            meta = results['target_meta']
            self._check_targets_follow({meta[name].layout for _, name in poses})
        # Float (T, V, 3) each.
        persons = [np.concatenate([targets[view][name] for view, name in poses])] if poses else []
        if maps:
            num_frames, num_joints = persons[0].shape[:2] if poses else (1, self.num_joints)
            persons += [*probes(shape, num_frames, num_joints)]
        if persons:
            joined['keypoint'] = np.stack([person[..., :2] for person in persons])
            joined['keypoint_score'] = np.stack([person[..., 2] for person in persons])
        for transform in self.transforms:
            joined = transform(joined)
        if len(joined['imgs']) != len(imgs):
            raise ValueError(
                f'TransformViews: {len(imgs)} frames became {len(joined["imgs"])}; '
                'a transform that changes their number has no place here'
            )

        moved = iter(joined['imgs'])
        for view in self.views:
            frames[view] = [*islice(moved, len(frames[view]))]
        if poses:
            scores = joined['keypoint_score'][0, ..., None]
            pose = np.concatenate([joined['keypoint'][0], scores], axis=-1)
            ends = np.cumsum([len(frames[view]) for view, _ in poses])
            for (view, name), part in zip(poses, np.split(pose, ends)):
                targets[view][name] = part
        if maps:
            box = view_box(joined['keypoint'][-3:], shape, joined['imgs'][0].shape[:2])
            for view, name in maps:
                layout = results['target_meta'][name].layout
                targets[view][name] = crop_maps(targets[view][name], box, layout, self.map_size)
        return results

    def _check_targets_follow(self, layouts: Set[str]) -> None:
        for transform in self.parts:
            if isinstance(transform, HorizontalFlip) and layouts - {transform.layout}:
                raise ConfigError(
                    f'TransformViews: HorizontalFlip has layout={transform.layout!r}, and the '
                    f'poses of {self.views} have {", ".join(sorted(layouts))}: give it their layout'
                )
            name = type(transform).__name__
            operation = type(getattr(transform, 'trans', None)).__name__
            if name in FRAMES_ONLY and operation not in COLOR_OPS:
                raise ConfigError(
                    f'TransformViews: poses and part maps of {self.views} do not follow {name}: '
                    "use HorizontalFlip, or mmaction2's crops and resizes"
                )


def _flatten(transforms: Iterable[Any]) -> Iterator[Any]:
    """Transforms, and the transforms nested in them."""
    for transform in transforms:
        yield transform
        yield from _flatten(getattr(transform, 'transforms', ()))
