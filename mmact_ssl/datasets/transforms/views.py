"""Choosing, decoding and augmenting the views of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.errors import BrokenSampleError
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.geometry import HorizontalFlip, crop_maps, probes, view_box
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class SampleViews(BaseTransform):
    """Choose the frames of each view of a video.

    ``clip`` are ``num_frames`` frames, ``stride`` apart, from a random start; ``other`` is a second
    clip from a start of its own; ``future`` goes on one clip stride after the clip's last frame
    with its own number and stride; ``keyframes`` are the key frames nearest to the clip's center in
    the order of decoding, in the order of the video.

    A start is uniform over all positions at which clip and future, or the other clip, fit. In a
    video that is too short it is 0, frames beyond the end repeat the last one and are not valid.
    Absent key frames repeat the last present one and are not valid.

    A stride that is a list is drawn from it, uniformly: the clip is played at one of several
    speeds.

    Required keys: ``filename``. Added keys: ``total_frames``; ``frame_inds`` {view: int64 [T]};
    ``valid`` {view: bool [T]}; ``speed`` {view: the stride that was drawn}, of views with a list of
    strides; ``video_reader``, which ``DecodeViews`` uses up.

    Args:
        clip: ``num_frames`` and ``stride`` (or several to draw from) of the clip.
        future: The same for the frames after it. None: no such view.
        keyframes: ``num_frames``, the number of slots. None: no such view.
        test_mode: Take the middle start instead of a random one; with ``clip_b``, the first start
            for the clip and the last one for the other. Of several strides, take the first one for
            the clip and the last one for the others.
        clip_b: ``num_frames`` and ``stride`` of the other clip. None: no such view.
        differ: Draw the other clip's stride among those that are not the clip's.

    Raises:
        ConfigError: An option is missing or below 1, or ``differ`` where the strides leave no
        choice. BrokenSampleError: The video is unreadable or has fewer than 2 frames.

    Source: clip, future and keyframes are CSVR's views, clip and other DTG-Net's image sequences,
    and at two speeds those of RSPNet (arXiv 2011.07949); positions, repetition and uniform speeds
    are our choice.
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
        self.clip = _checked('clip', clip, ('num_frames', 'stride'))
        self.future = (
            None if future is None else _checked('future', future, ('num_frames', 'stride'))
        )
        self.keyframes = (
            None if keyframes is None else _checked('keyframes', keyframes, ('num_frames',))
        )
        self.clip_b = (
            None if clip_b is None else _checked('clip_b', clip_b, ('num_frames', 'stride'))
        )
        self.test_mode = test_mode
        self.differ = differ
        if differ:
            strides, others = _strides(self.clip), _strides(self.clip_b or {'stride': ()})
            if not all(set(others) - {stride} for stride in strides):
                raise ConfigError(
                    f'SampleViews: differ wants another stride for other than for clip, but there '
                    f'are {list(others)} and {list(strides)}'
                )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the choice to one sample."""
        reader = VideoReader(results['filename'])
        total = reader.total_frames
        if total < 2:
            reader.close()
            raise BrokenSampleError(results['filename'], 'has fewer than 2 frames')
        frame_inds: dict[str, np.ndarray] = {}
        valid: dict[str, np.ndarray] = {}
        drawn = self._draw_strides()
        for group in self._groups(drawn):
            start = self._start(total, group)
            for view, offsets in group.items():
                inds = start + offsets
                valid[view] = inds < total
                frame_inds[view] = np.minimum(inds, total - 1)
        if self.keyframes is not None:
            clip_inds = frame_inds['clip'][valid['clip']]
            center = int(clip_inds[0] + clip_inds[-1]) // 2
            slots = self.keyframes['num_frames']
            found = reader.keyframes_near(center, slots)
            frame_inds['keyframes'] = np.append(found, np.repeat(found[-1:], slots - len(found)))
            valid['keyframes'] = np.arange(slots) < len(found)

        results.update(total_frames=total, frame_inds=frame_inds, valid=valid, video_reader=reader)
        several = {
            view: stride
            for view, stride in drawn.items()
            if not isinstance(getattr(self, view)['stride'], int)
        }
        if several:
            results['speed'] = several
        return results

    def _draw_strides(self) -> dict[str, int]:
        """Choose the stride of each view of frames."""
        drawn: dict[str, int] = {}
        for view in ('clip', 'future', 'clip_b'):
            options = getattr(self, view)
            if options is None:
                continue
            strides = _strides(options)
            if view == 'clip_b' and self.differ:
                strides = tuple(stride for stride in strides if stride != drawn['clip'])
            if len(strides) == 1 or self.test_mode:
                drawn[view] = strides[0 if view == 'clip' else -1]
            else:
                drawn[view] = strides[np.random.randint(len(strides))]
        return drawn

    def _groups(self, strides: Mapping[str, int]) -> list[dict[str, np.ndarray]]:
        """Frames of each view from its group's start; views of one group share their start."""
        offsets = {
            view: np.arange(getattr(self, view)['num_frames']) * stride
            for view, stride in strides.items()
        }
        if 'future' in offsets:
            offsets['future'] += self.clip['num_frames'] * strides['clip']
        other = {'clip_b': offsets.pop('clip_b')} if 'clip_b' in offsets else None
        return [offsets] if other is None else [offsets, other]

    def _start(self, total: int, group: Mapping[str, np.ndarray]) -> int:
        """Choose the frame at which the views of a group start."""
        slack = max(total - 1 - max(int(offsets[-1]) for offsets in group.values()), 0)
        if not self.test_mode:
            return int(np.random.randint(slack + 1))
        if self.clip_b is None:
            return slack // 2
        return slack if 'clip_b' in group else 0

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip={self.clip}, future={self.future}, '
            f'keyframes={self.keyframes}, test_mode={self.test_mode}, clip_b={self.clip_b}, '
            f'differ={self.differ})'
        )


@TRANSFORMS.register_module()
class DecodeViews(BaseTransform):
    """Decode the chosen frames of all views in one pass, scaled while decoding.

    Required keys: ``frame_inds``, ``video_reader`` (removed), ``poses`` (optional): {view: float32
    [T, V, 3]} with x, y as fractions of the frame.

    Added keys: ``views`` {view: list of T RGB uint8 arrays [H, W, 3]}. Modified keys: ``poses``,
    now float64, x and y in pixels of the decoded frame, continuous: pixel i covers [i, i + 1).

    Args:
        short_side: Length in pixels of the decoded frames' short side; None keeps their size.

    Raises:
        BrokenSampleError: A frame cannot be decoded.
    """

    def __init__(self, short_side: int | None = 128) -> None:
        if short_side is not None and short_side < 1:
            raise ConfigError(f'DecodeViews: short_side is {short_side}, must be at least 1')
        self.short_side = short_side

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames to one sample."""
        frame_inds = results['frame_inds']
        with results.pop('video_reader') as reader:
            frames = reader.read(np.concatenate(list(frame_inds.values())), self.short_side)
        results['views'] = {
            view: [frames[index] for index in inds.tolist()] for view, inds in frame_inds.items()
        }
        for view, pose in results.get('poses', {}).items():
            height, width = results['views'][view][0].shape[:2]
            # In float64, so that packing an unmoved pose gives back the very fractions.
            results['poses'][view] = pose * np.array([width, height, 1], dtype=np.float64)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(short_side={self.short_side})'


@TRANSFORMS.register_module()
class TransformViews(BaseTransform):
    """Run mmaction2's transforms on frames, poses and part maps of some views together.

    The frames of the views are joined to one ``imgs`` and the poses to one ``keypoint`` [1, T, V,
    2] and ``keypoint_score`` [1, T, V], as mmaction2's transforms want them. All views of one
    TransformViews therefore share one random draw (the same crop, the same flip); views of
    separate ones are drawn apart.

    With part maps, ``keypoint`` has three persons more, probes whose movement says what the
    transforms did to the frames (see geometry.py). A transform that draws from the key points what
    it does, as mmaction2's PoseCompact, would take them for persons and has no place here then.

    Required keys: ``views``; optional ``poses`` and, of the targets in ``target_meta``, those of
    kind 'map', {view: float32 [T, C, h, w] over the whole frame}, for any of the views. Modified
    keys: the same; maps then cover the whole view.

    Args:
        views: Names of the views to join.
        transforms: Configs of transforms on ``imgs``, ``keypoint``, ``keypoint_score``,
            ``img_shape``. They must keep the number and order of frames.
        map_size: (h, w) that part maps are brought to. None: they keep their size.

    Raises:
        KeyError: A view is not there.
        ValueError: The frames of the views differ in size, a transform changed their number, or it
            moved them other than by crop, resize and flip while there are part maps.
    """

    def __init__(
        self,
        views: Sequence[str],
        transforms: Sequence[Mapping[str, Any]],
        map_size: Sequence[int] | None = None,
    ) -> None:
        if isinstance(views, str) or not views:
            raise ConfigError(f'TransformViews: views must be a list of names, not {views!r}')
        if map_size is not None and (len(map_size) != 2 or min(map_size) < 1):
            raise ConfigError(f'TransformViews: map_size is {map_size}, must be (height, width)')
        self.views = tuple(views)
        self.map_size = None if map_size is None else tuple(map_size)
        self.transforms = [TRANSFORMS.build({'_scope_': SCOPE, **config}) for config in transforms]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform the views of one sample."""
        frames = results['views']
        missing = [view for view in self.views if view not in frames]
        if missing:
            raise KeyError(
                f'TransformViews: view {missing[0]!r} is not among the decoded views '
                f'{sorted(frames)}; add it to SampleViews or take it out of views'
            )
        imgs = [frame for view in self.views for frame in frames[view]]
        shapes = {img.shape[:2] for img in imgs}
        if len(shapes) > 1:
            raise ValueError(
                f'TransformViews: the frames of the views {self.views} differ in '
                f'size, {sorted(shapes)}; transform these views apart'
            )
        # Flips work in place, and a repeated frame is one array in two places.
        seen: set[int] = set()
        for position, img in enumerate(imgs):
            if id(img) in seen:
                imgs[position] = img.copy()
            seen.add(id(img))

        shape = imgs[0].shape[:2]
        joined: dict[str, Any] = {
            'imgs': imgs,
            'img_shape': shape,
            'original_shape': shape,
            'modality': 'RGB',
            'num_clips': 1,
            'clip_len': len(imgs),
        }
        poses = results.get('poses', {})
        posed = [view for view in self.views if view in poses]
        maps = [
            (target, view)
            for target, meta in results.get('target_meta', {}).items()
            for view in self.views
            if meta.kind == 'map' and view in results[target]
        ]
        persons = []  # float [T, V, 3] each
        if posed:
            persons.append(np.concatenate([poses[view] for view in posed]))
        if maps:
            num_joints = persons[0].shape[1] if posed else self._num_joints()
            num_frames = len(persons[0]) if posed else 1
            persons += [
                np.concatenate([probe, np.ones_like(probe[..., :1])], axis=-1)
                for probe in probes(shape, num_frames, num_joints)
            ]
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

        start = 0
        for view in self.views:
            stop = start + len(frames[view])
            frames[view] = list(joined['imgs'][start:stop])
            start = stop
        if posed:
            pose = np.concatenate(
                [joined['keypoint'][0], joined['keypoint_score'][0, ..., None]], axis=-1
            )
            start = 0
            for view in posed:
                stop = start + len(poses[view])
                poses[view] = pose[start:stop]
                start = stop
        if maps:
            box = view_box(joined['keypoint'][-3:], shape, joined['imgs'][0].shape[:2])
            for target, view in maps:
                layout = results['target_meta'][target].layout
                results[target][view] = crop_maps(results[target][view], box, layout, self.map_size)
        return results

    def _num_joints(self) -> int:
        """Number of joints that the transforms want of a person."""
        for transform in self.transforms:
            if isinstance(transform, HorizontalFlip):
                return LAYOUTS[transform.layout].num_joints
            if getattr(transform, 'left_kp', None):  # mmaction2's Flip
                return 1 + max(*transform.left_kp, *transform.right_kp)
        return 1

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(views={self.views}, transforms={self.transforms}, '
            f'map_size={self.map_size})'
        )


def _checked(view: str, options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    if set(options) != set(names):
        raise ConfigError(f'SampleViews: {view} takes {" and ".join(names)}, got {sorted(options)}')
    for name in names:
        several = name == 'stride' and not isinstance(options[name], int)
        values = options[name] if several else [options[name]]
        if not values or min(values) < 1 or len(set(values)) < len(values):
            raise ConfigError(
                f'SampleViews: {view} has {name}={options[name]}, must be at least 1'
                f'{" each, no two alike" if several else ""}'
            )
    return dict(options)


def _strides(options: Mapping[str, Any]) -> tuple[int, ...]:
    """The strides of which one is drawn."""
    stride = options['stride']
    return (stride,) if isinstance(stride, int) else tuple(stride)
