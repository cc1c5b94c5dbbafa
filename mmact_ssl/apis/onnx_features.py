"""Features of a video or a skeleton from an exported .onnx file, without torch and OpenMMLab.

    features = OnnxFeatures('csvr_r3d_demo-1a2b3c4d.onnx')
    features.of_video('a.mp4')

This file works alone. It needs numpy and onnxruntime; for videos also av and opencv-python.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from mmact_ssl.datasets.frame_conversion import FrameConverter, shown_stream

VIDEO = {'ReadVideo', 'SampleFrames', 'DecodeFrames', 'Resize', 'CenterCrop', 'FormatShape'}
SKELETON = {'NormalizeSkeleton', 'ResampleFrames', 'BonesAndMotion', 'FormatGCNInput'}
SHORTEST = 256  # pixels: larger frames are averaged first


class OnnxFeatures:
    """An exported encoder in onnxruntime.

    Args:
        path: File of ``mmact-ssl publish --format onnx``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(
            os.fspath(path), providers=['CPUExecutionProvider']
        )
        metadata = self.session.get_modelmeta().custom_metadata_map
        clip = json.loads(metadata['mmact_ssl_clip'])
        self.mean, self.std = clip['mean'], clip['std']
        self.layout: dict[str, Any] = json.loads(metadata.get('mmact_ssl_layout', '{}'))
        self.transforms: dict[str, dict[str, Any]] = {
            transform.pop('type').rpartition('.')[2]: transform for transform in clip['transforms']
        }
        del self.transforms['PackActionInputs']

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Features ``(B, C)`` of a normalized batch, see the page on ONNX."""
        return self.session.run(None, {'inputs': inputs.astype(np.float32)})[0]

    def of_video(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Feature ``(C,)`` of a video: its evenly spread clips, or frames of a 2D network."""
        import cv2

        self._require(VIDEO)
        sample, side = self.transforms['SampleFrames'], self.transforms['CenterCrop']['crop_size']
        clips, length, stride = (sample[key] for key in ('num_clips', 'clip_len', 'frame_interval'))
        frames = _read_frames(os.fspath(path))
        between = max(len(frames) - (length - 1) * stride - 1, 0) / max(clips - 1, 1)
        starts = np.round(np.arange(clips) * between).astype(int)
        chosen = (starts[:, None] + np.arange(length) * stride).ravel()
        chosen = np.minimum(chosen, len(frames) - 1)
        height, width = frames[0].shape[:2]
        scale = max(self.transforms['Resize']['scale']) / min(height, width)
        size = int(width * scale + 0.5), int(height * scale + 0.5)
        small = np.stack([cv2.resize(frames[index], size) for index in chosen])
        top, left = (size[1] - side) // 2, (size[0] - side) // 2
        small = small[:, top : top + side, left : left + side] - np.float32(self.mean)
        pictures = (small / np.float32(self.std)).transpose(0, 3, 1, 2)  # (clips * length, 3, H, W)
        if self.transforms['FormatShape']['input_format'] == 'NCTHW':
            pictures = pictures.reshape(clips, length, 3, side, side).transpose(0, 2, 1, 3, 4)
        return self.run(pictures[None])[0]

    def of_skeleton(self, clip: np.ndarray) -> np.ndarray:
        """Feature ``(C,)`` of one person, ``(frames, joints, 3)``, without missing joints."""
        self._require(SKELETON)
        joint = {name: clip[:, number] for number, name in enumerate(self.layout['names'])}
        torso = joint['shoulder_center'] - joint['hip_center']
        left = joint['left_hip'] + joint['left_shoulder']
        across = left - joint['right_hip'] - joint['right_shoulder']
        y = torso[0] / np.linalg.norm(torso[0])
        x = across[0] - y * (y @ across[0])
        x /= np.linalg.norm(x)
        axes = np.stack([x, y, np.cross(x, y)]) / np.median(np.linalg.norm(torso, axis=1))
        clip = (clip - joint['hip_center'][0]) @ axes.T
        if 'ResampleFrames' in self.transforms:
            count = self.transforms['ResampleFrames']['num_frames']
            places = np.linspace(0, len(clip) - 1, count)
            before = places.astype(int)
            after, part = np.minimum(before + 1, len(clip) - 1), (places - before)[:, None, None]
            clip = clip[before] * (1 - part) + clip[after] * part
        if 'BonesAndMotion' in self.transforms:
            bones = clip - clip[:, self.layout['parents']]
            motion = np.diff(clip, axis=0, prepend=clip[:1])
            motion *= self.transforms['BonesAndMotion']['motion_scale']
            clip = np.concatenate([clip, bones, motion], axis=-1)
        return self.run(clip[None, None, None])[0]

    def _require(self, known: set[str]) -> None:
        if unknown := set(self.transforms) - known:
            raise ValueError(f'this file does not read clips by {sorted(unknown)}')


def _read_frames(path: str) -> list[np.ndarray]:
    """Frames of a video, RGB, uint8 ``(H, W, 3)``, with a short side of at most SHORTEST."""
    import av
    import cv2

    if not os.path.isfile(path):
        raise ValueError(f'{path} is not a file')
    frames: list[np.ndarray] = []
    with av.open(path) as video:
        stream = shown_stream(video)
        for frame in map(FrameConverter(stream), video.decode(stream)):
            height, width = frame.shape[:2]
            if (share := SHORTEST / min(height, width)) < 1:
                size = round(width * share), round(height * share)
                frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            frames.append(frame)
    return frames
