"""Choosing, decoding and augmenting the views of a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.formatting import check_views, targets_of_kind
from mmact_ssl.datasets.transforms.geometry import HorizontalFlip, crop_maps, probes, view_box
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class SampleViews(BaseTransform):
    """Choose the frames of each view of a video.

    ``clip`` are ``num_frames`` frames, ``stride`` apart, from a random start; ``clip_b`` is a
    second clip from a start of its own; ``future`` goes on one clip stride after the clip's last
    frame with its own number and stride; ``keyframes`` are the key frames nearest to the clip's
    center in the order of decoding, in the order of the video.

    A start is uniform over all positions at which clip and future, or the other clip, fit. In a
    video that is too short it is 0, frames beyond the end repeat the last one and are not valid.
    Absent key frames repeat the last present one and are not valid. A stride that is a list is
    drawn from it, uniformly: the clip is played at one of several speeds.

    Required keys: ``filename``. Added keys: ``total_frames``; ``frame_inds`` {view: int64 [T]};
    ``targets`` {view: ``valid`` bool [T] and, of views with a list of strides, ``speed``, the
    stride that was drawn}; ``video_reader``, which ``DecodeViews`` uses up.

    Args:
        clip: ``num_frames`` and ``stride`` (or several to draw from) of the clip.
        future: The same for the frames after it. None: no such view.
        keyframes: ``num_frames``, the number of slots. None: no such view.
        test_mode: Take the middle start instead of a random one; with ``clip_b``, the first start
            for the clip and the last one for ``clip_b``. Of several strides, take the first one for
            the clip and the last one for the others.
        clip_b: ``num_frames`` and ``stride`` of the second clip. None: no such view.
        differ: Draw the second clip's stride among those that are not the clip's.

    Source: clip, future and keyframes are CSVR's views, clip and clip_b DTG-Net's image sequences,
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
        options = {'clip': clip, 'future': future, 'clip_b': clip_b}
        self.clips = {view: value for view, value in options.items() if value is not None}
        self.keyframes = keyframes
        self.test_mode = test_mode
        self.differ = differ

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        reader = VideoReader(results['filename'])
        total = reader.total_frames
        if total < 2:
            reader.close()
            raise BrokenSampleError(results['filename'], 'has fewer than 2 frames')
        frame_inds: dict[str, np.ndarray] = {}
        targets: dict[str, dict[str, Any]] = {}
        strides = self._draw_strides()
        for group in self._groups(strides):
            start = self._start(total, group)
            for view, offsets in group.items():
                inds = start + offsets
                frame_inds[view] = np.minimum(inds, total - 1)
                targets[view] = {'valid': inds < total}
        if self.keyframes is not None:
            clip_inds = frame_inds['clip'][targets['clip']['valid']]
            center = int(clip_inds[0] + clip_inds[-1]) // 2
            slots = self.keyframes['num_frames']
            found = reader.keyframes_near(center, slots)
            frame_inds['keyframes'] = np.append(found, np.repeat(found[-1:], slots - len(found)))
            targets['keyframes'] = {'valid': np.arange(slots) < len(found)}
        for view, stride in strides.items():
            if not isinstance(self.clips[view]['stride'], int):
                targets[view]['speed'] = stride
        results.update(
            total_frames=total, frame_inds=frame_inds, targets=targets, video_reader=reader
        )
        return results

    def _draw_strides(self) -> dict[str, int]:
        """Choose the stride of each view of frames."""
        drawn: dict[str, int] = {}
        for view, clip in self.clips.items():
            strides = np.atleast_1d(clip['stride']).tolist()
            if view == 'clip_b' and self.differ:
                strides = [stride for stride in strides if stride != drawn['clip']]
            if len(strides) == 1 or self.test_mode:
                drawn[view] = strides[0 if view == 'clip' else -1]
            else:
                drawn[view] = strides[np.random.randint(len(strides))]
        return drawn

    def _groups(self, strides: Mapping[str, int]) -> list[dict[str, np.ndarray]]:
        """Frames of each view from its group's start; views of one group share their start."""
        offsets = {
            view: np.arange(self.clips[view]['num_frames']) * stride
            for view, stride in strides.items()
        }
        if 'future' in offsets:
            offsets['future'] += self.clips['clip']['num_frames'] * strides['clip']
        second = [{'clip_b': offsets.pop('clip_b')}] if 'clip_b' in offsets else []
        return [offsets, *second]

    def _start(self, total: int, group: Mapping[str, np.ndarray]) -> int:
        """Choose the frame at which the views of a group start."""
        slack = max(total - 1 - max(int(offsets[-1]) for offsets in group.values()), 0)
        if not self.test_mode:
            return int(np.random.randint(slack + 1))
        if 'clip_b' not in self.clips:
            return slack // 2
        return slack if 'clip_b' in group else 0


@TRANSFORMS.register_module()
class DecodeViews(BaseTransform):
    """Decode the chosen frames of all views in one pass, scaled while decoding.

    Required keys: ``frame_inds``, ``video_reader`` (removed); optional, in ``targets`` of any view,
    those whose ``target_meta`` is of kind 'pose', float32 [T, V, 3], x, y as fractions of the
    frame.

    Added keys: ``views`` {view: list of T RGB uint8 arrays [H, W, 3]}. Modified keys: the poses,
    now float64, x and y in pixels of the decoded frame, continuous: pixel i covers [i, i + 1).

    Args:
        short_side: Length in pixels of the decoded frames' short side; None keeps their size.
    """

    def __init__(self, short_side: int | None = 128) -> None:
        self.short_side = short_side

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frame_inds = results['frame_inds']
        with results.pop('video_reader') as reader:
            frames = reader.read(np.concatenate(list(frame_inds.values())), self.short_side)
        results['views'] = {
            view: [frames[index] for index in inds.tolist()] for view, inds in frame_inds.items()
        }
        for view, frames in results['views'].items():
            for name in targets_of_kind('pose', results, view):
                height, width = frames[0].shape[:2]
                # In float64, so that packing an unmoved pose gives back the very fractions.
                results['targets'][view][name] = results['targets'][view][name] * np.array(
                    [width, height, 1], np.float64
                )
        return results


@TRANSFORMS.register_module()
class TransformViews(BaseTransform):
    """Run mmaction2's transforms on frames, poses and part maps of some views together.

    The frames of the views are joined to one ``imgs`` and the poses to one ``keypoint`` [1, T, V,
    2] and ``keypoint_score`` [1, T, V], as mmaction2's transforms want them. All views of one
    TransformViews therefore share one random draw (the same crop, the same flip); views of
    separate ones are drawn apart.

    With part maps, ``keypoint`` has three persons more, probes whose movement shows what the
    transforms did to the frames (see geometry.py). A transform that draws from the key points what
    it does, as mmaction2's PoseCompact, would take them for persons and has no place here then.

    Required keys: ``views``; optional, in ``targets`` of any of the views, those whose
    ``target_meta`` is of kind 'pose', [T, V, 3] in pixels, or 'map', float32 [T, C, h, w] over the
    whole frame. Modified keys: the same; maps then cover the whole view.

    Args:
        views: Names of the views to join.
        transforms: Configs of transforms on ``imgs``, ``keypoint``, ``keypoint_score``,
            ``img_shape``. They must keep the number and order of frames; with part maps they must
            be crops, resizes, flips and changes of color.
        map_size: (h, w) that part maps are brought to. None: they keep their size.
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

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = results['views']
        check_views(self, self.views, frames)
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
        targets = results.get('targets', {})
        poses, maps = (
            [(view, name) for view in self.views for name in targets_of_kind(kind, results, view)]
            for kind in ('pose', 'map')
        )
        persons = []  # float [T, V, 3] each
        if poses:
            persons.append(np.concatenate([targets[view][name] for view, name in poses]))
        if maps:
            num_frames, num_joints = persons[0].shape[:2] if poses else (1, self._num_joints())
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

        lengths = {view: len(frames[view]) for view in self.views}
        for view, part in zip(lengths, _split(joined['imgs'], lengths.values())):
            frames[view] = list(part)
        if poses:
            pose = np.concatenate(
                [joined['keypoint'][0], joined['keypoint_score'][0, ..., None]], axis=-1
            )
            for (view, name), part in zip(poses, _split(pose, [lengths[v] for v, _ in poses])):
                targets[view][name] = part
        if maps:
            box = view_box(joined['keypoint'][-3:], shape, joined['imgs'][0].shape[:2])
            for view, name in maps:
                layout = results['target_meta'][name].layout
                targets[view][name] = crop_maps(targets[view][name], box, layout, self.map_size)
        return results

    def _num_joints(self) -> int:
        """Number of joints that the transforms want of a person."""
        for transform in self.transforms:
            if isinstance(transform, HorizontalFlip):
                return LAYOUTS[transform.layout].num_joints
            if getattr(transform, 'left_kp', None):  # mmaction2's Flip
                return 1 + max(*transform.left_kp, *transform.right_kp)
        return 1


def _split(joined: Any, lengths: Iterable[int]) -> Iterator[Any]:
    """Consecutive pieces of these lengths."""
    start = 0
    for length in lengths:
        yield joined[start : start + length]
        start += length
