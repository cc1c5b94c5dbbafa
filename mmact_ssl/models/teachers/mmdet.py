"""Person boxes from mmdet, for top-down pose teachers."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from torch import Tensor

from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab_config import (
    build_network,
    build_pipeline,
    load_model_config,
    without_init,
)
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMDetPersonDetector(BaseTeacher):
    """The most certain person of each frame, by any mmdet detector.

    Most detectors need mmcv's compiled operators (non-maximum suppression), those of the DETR
    family do not.

    Args:
        config: Mmdet config file, or ``mmdet::`` and its path in the installed mmdet.
        checkpoint: Its weights, see :func:`find_weights`.
        category: Label of persons; 0 in COCO.
        min_score: Boxes that score less are nobody.
        batch_size: Frames per forward pass.

    Raises:
        DataError: A file is missing.
        ConfigError: Not a detector's config.
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
        """Find persons: uint8 ``[N, 3, H, W]`` to fractions of the frame and score ``[N, 5]``."""
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
