"""Pose teachers from mmpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.weights import find_weights
from mmact_ssl.models.skeletons import find_layout
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab_config import build_network, load_model_config, without_init
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMPosePoseTeacher(BaseTeacher):
    """Teacher of one person's pose by an mmpose model, with its test pipeline and decoding.

    Args:
        config, checkpoint: Mmpose config and weights, see MMLabTeacher.
        layout: Joint order of the model's output.
        min_person_score: If a person has a lower score, all scores of the frame are 0. A person's
            score is that of its box, or the mean of the joints' scores if the box is the frame, as
            for top-down models.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        layout: str = 'coco17',
        batch_size: int = 16,
        min_person_score: float = 0.0,
    ) -> None:
        loaded = load_model_config(config, 'MMPosePoseTeacher')
        identity = {
            'model': without_init(loaded.model),
            'pipeline': without_init(loaded.test_dataloader.dataset.pipeline),
            'layout': layout,
            'min_person_score': min_person_score,
            'person_detector': None,  # stands in the fingerprints of caches that exist
        }
        checkpoint = find_weights(checkpoint, 'checkpoint of MMPosePoseTeacher')
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size)
        self.layout = layout
        self.min_person_score = min_person_score

        # Not at the top: mmpose imports mmdet and mmpretrain, which takes seconds.
        network = build_network(identity['model'], 'mmpose')
        from mmpose.apis.inference import dataset_meta_from_config
        from mmpose.models import BottomupPoseEstimator

        with DefaultScope.overwrite_default_scope('mmpose'):  # its configs have no scopes
            self._pipeline = Compose(identity['pipeline'])
            meta = dataset_meta_from_config(loaded, 'test')
        self._check_joints(config, network, meta)
        self._meta = meta
        self._one_stage = isinstance(network, BottomupPoseEstimator)
        load_checkpoint(network, checkpoint, map_location='cpu', strict=True, logger='silent')
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Find one person per frame: uint8 ``(N, 3, H, W)`` to float32 ``(N, V, 3)``."""
        results = self._find(frames)
        poses = np.stack([self._best_person(result.pred_instances) for result in results])
        poses[..., :2] /= [frames.shape[3], frames.shape[2]]
        poses[..., 2] = poses[..., 2].clip(0, 1)
        poses[~np.isfinite(poses).all(-1) | (poses[..., 2] == 0)] = 0
        return torch.from_numpy(poses).to(frames.device)

    def count_persons(self, frames: Tensor, min_score: float = 0.3) -> Tensor:
        """Count persons by a one-stage model: uint8 ``(N, 3, H, W)`` to int64 ``(N,)``.

        Raises:
            ConfigError: The model is top-down, and finds one person in each box.
        """
        if not self._one_stage:
            raise ConfigError(f'{self.source} finds one person in a box: take a one-stage model')
        counts = []
        with self.inference():
            for chunk in frames.split(self.batch_size or len(frames)):
                for result in self._find(chunk):
                    scores = np.asarray(result.pred_instances.get('bbox_scores', ()))
                    counts.append(int((scores >= min_score).sum()))
        return torch.tensor(counts)

    def _find(self, frames: Tensor) -> list[Any]:
        """Results of the network; the whole frame is the box of a top-down model."""
        box = np.array([[0, 0, frames.shape[3], frames.shape[2]]], np.float32)
        score = np.ones(1, np.float32)
        images = frames.permute(0, 2, 3, 1).flip(-1).contiguous().cpu().numpy()  # (N, H, W, BGR)
        samples = [
            self._pipeline(dict(self._meta, img=image, bbox=box, bbox_score=score))
            for image in images
        ]
        return self.frozen.test_step(pseudo_collate(samples))

    def _best_person(self, persons: Any) -> np.ndarray:
        """Return the person with the best box: ``(V, 3)`` in pixels."""
        if not len(persons.keypoints):
            return np.zeros((LAYOUTS[self.layout].num_joints, 3), np.float32)
        scores = np.asarray(persons.keypoint_scores)
        if self._one_stage:
            box_scores = np.asarray(persons.get('bbox_scores', scores.mean(1)))
        else:
            box_scores = scores.clip(0, 1).mean(1)
        best = int(box_scores.argmax())
        if box_scores[best] < self.min_person_score:
            return np.zeros((scores.shape[1], 3), np.float32)
        # In mmpose pixel i is centered on i; in this package it covers [i, i + 1).
        points = np.asarray(persons.keypoints)[best] + 0.5
        return np.concatenate([points, scores[best][:, None]], axis=1).astype(np.float32)

    def _check_joints(self, config: str, network: Any, meta: Any) -> None:
        if meta is None:
            raise ConfigError(f'{config}: no data set in test_dataloader names its joints')
        num_joints, expected = meta['num_keypoints'], find_layout(self.layout).num_joints
        if num_joints != expected:
            raise ConfigError(
                f'{config} finds {num_joints} joints, layout {self.layout!r} has {expected}: '
                'set layout of the teacher'
            )
