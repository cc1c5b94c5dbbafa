"""Pose teachers from mmpose, and persons from mmdet for the top-down ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.skeletons import find_layout
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab_config import (
    build_network,
    build_pipeline,
    load_model_config,
    without_init,
)
from mmact_ssl.registry import MODELS
from mmact_ssl.weights import find_weights


@MODELS.register_module()
class MMPosePoseTeacher(BaseTeacher):
    """One person's pose by an mmpose model, with mmpose's own test pipeline and decoding.

    Args:
        config, checkpoint: Mmpose config and weights, see MMLabTeacher.
        layout: Joint order of the model's output.
        person_detector: None: the whole frame is the box. Else a registered module that maps
            uint8 frames ``(N, 3, H, W)`` to boxes ``(N, 5)``: left, top, right, bottom as
            fractions of the frame, score (0: nobody). Top-down models only.
        min_person_score: Frames whose person scores less have score 0 throughout. A person's score
            is that of its box; where the whole frame is the box, the mean of its joints' scores.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        layout: str = 'coco17',
        batch_size: int = 16,
        person_detector: Mapping[str, Any] | None = None,
        min_person_score: float = 0.0,
    ) -> None:
        loaded = load_model_config(config, 'MMPosePoseTeacher')
        detector = None
        if person_detector is not None:
            detector = MODELS.build(dict(person_detector, _scope_='mmact_ssl'))
            if getattr(detector, 'kind', None) != 'box':
                raise ConfigError(f'person_detector {type(detector).__name__} makes no boxes')
        identity = {
            'model': without_init(loaded.model),
            'pipeline': without_init(loaded.test_dataloader.dataset.pipeline),
            'layout': layout,
            'min_person_score': min_person_score,
            'person_detector': None if detector is None else detector.fingerprint(),
        }
        checkpoint = find_weights(checkpoint, 'checkpoint of MMPosePoseTeacher')
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size)
        self.layout = layout
        self.min_person_score = min_person_score

        # mmpose imports mmdet and mmpretrain: seconds that the other teachers need not spend.
        network = build_network(identity['model'], 'mmpose')
        from mmpose.apis.inference import dataset_meta_from_config
        from mmpose.models import BottomupPoseEstimator

        self._pipeline = build_pipeline(identity['pipeline'], 'mmpose')
        with DefaultScope.overwrite_default_scope('mmpose'):
            meta = dataset_meta_from_config(loaded, 'test')
        self._check_joints(config, network, meta)
        self._meta = meta
        self._one_stage = isinstance(network, BottomupPoseEstimator)
        if self._one_stage and detector is not None:
            raise ConfigError(f'{config} is a one-stage model, it needs no person_detector')
        load_checkpoint(network, checkpoint, map_location='cpu', strict=True, logger='silent')
        self.freeze_external(network)
        self._detector = () if detector is None else (self.freeze_external(detector),)

    def predict(self, frames: Tensor) -> Tensor:
        """Find one person per frame: uint8 ``(N, 3, H, W)`` to float32 ``(N, V, 3)``."""
        height, width = frames.shape[2:]
        boxes = np.tile(np.array([0, 0, 1, 1, 1], np.float32), (len(frames), 1))
        if self._detector:
            boxes = self._detector[0](frames).cpu().numpy()
        boxes[:, :4] *= [width, height, width, height]
        images = frames.permute(0, 2, 3, 1).flip(-1).contiguous().cpu().numpy()  # (N, H, W, BGR)
        # A detector's box is empty where it found nobody.
        nobody = (boxes[:, 4] <= 0) | (boxes[:, 2:4] <= boxes[:, :2]).any(1)
        boxes[nobody, :4] = [0, 0, width, height]  # computed and thrown away
        samples = [
            self._pipeline(dict(self._meta, img=image, bbox=box[None, :4], bbox_score=box[4:]))
            for image, box in zip(images, boxes)
        ]
        results = self.frozen.test_step(pseudo_collate(samples))
        poses = np.stack([self._best_person(result.pred_instances) for result in results])
        poses[nobody] = 0
        poses[..., :2] /= [width, height]
        poses[..., 2] = poses[..., 2].clip(0, 1)
        poses[~np.isfinite(poses).all(-1) | (poses[..., 2] == 0)] = 0
        return torch.from_numpy(poses).to(frames.device)

    def _best_person(self, persons: Any) -> np.ndarray:
        """Choose the person of the best box: ``(V, 3)`` in pixels."""
        if not len(persons.keypoints):
            return np.zeros((LAYOUTS[self.layout].num_joints, 3), np.float32)
        scores = np.asarray(persons.keypoint_scores)
        if self._one_stage or self._detector:
            box_scores = np.asarray(persons.get('bbox_scores', scores.mean(1)))
        else:
            box_scores = scores.clip(0, 1).mean(1)
        best = int(box_scores.argmax())
        if box_scores[best] < self.min_person_score:
            return np.zeros((scores.shape[1], 3), np.float32)
        # mmpose centers pixel i on i, the project's poses let it cover [i, i + 1).
        points = np.asarray(persons.keypoints)[best] + 0.5
        return np.concatenate([points, scores[best][:, None]], axis=1).astype(np.float32)

    def _check_joints(self, config: str, network: Any, meta: Any) -> None:
        if meta is None:
            raise ConfigError(f'{config}: no data set in test_dataloader names its joints')
        found, wanted = meta['num_keypoints'], find_layout(self.layout).num_joints
        if found != wanted:
            raise ConfigError(
                f'{config} finds {found} joints, layout {self.layout!r} has {wanted}: '
                'set layout of the teacher'
            )


@MODELS.register_module()
class MMDetPersonDetector(BaseTeacher):
    """The most certain person of each frame, by any mmdet detector.

    Most detectors need mmcv's compiled operators (non-maximum suppression), those of the DETR
    family do not.

    Args:
        config, checkpoint: Mmdet config and weights, see MMLabTeacher.
        category: Label of persons; 0 in COCO.
        min_score: Boxes that score less are nobody.
    """

    kind = 'box'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        category: int = 0,
        min_score: float = 0.3,
        batch_size: int = 8,
    ) -> None:
        loaded = load_model_config(config, 'MMDetPersonDetector')
        identity = {
            'model': without_init(loaded.model),
            'pipeline': _without_annotations(loaded),
            'category': category,
            'min_score': min_score,
        }
        checkpoint = find_weights(checkpoint, 'checkpoint of MMDetPersonDetector')
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size)
        self.category = category
        self.min_score = min_score
        self._pipeline = build_pipeline(identity['pipeline'], 'mmdet')
        network = build_network(identity['model'], 'mmdet')
        load_checkpoint(network, checkpoint, map_location='cpu', strict=True, logger='silent')
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Find persons: uint8 ``(N, 3, H, W)`` to fractions of the frame and score ``(N, 5)``."""
        images = frames.permute(0, 2, 3, 1).flip(-1).contiguous().cpu().numpy()  # (N, H, W, BGR)
        size = np.array([frames.shape[3], frames.shape[2]] * 2, np.float32)
        boxes = np.zeros((len(images), 5), np.float32)
        samples = [self._pipeline({'img': image, 'img_id': 0}) for image in images]
        for box, result in zip(boxes, self.frozen.test_step(pseudo_collate(samples))):
            found = result.pred_instances
            found = found[(found.labels == self.category) & (found.scores >= self.min_score)]
            if len(found):
                best = int(found.scores.argmax())
                box[:4] = found.bboxes[best].cpu().numpy() / size
                box[4] = float(found.scores[best])
        return torch.from_numpy(boxes)


def _without_annotations(config: Config) -> list:
    """Take the test pipeline for an array in the place of a file and its boxes."""
    first, *rest = config.test_dataloader.dataset.pipeline
    return [
        {**first, 'type': 'mmdet.LoadImageFromNDArray'},
        *(step for step in rest if step['type'] != 'LoadAnnotations'),
    ]
