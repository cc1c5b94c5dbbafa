"""Frozen features: their extraction, and measures of collapse."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from rich.progress import track

from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.models.losses.statistics import effective_rank, feature_std


@dataclass(frozen=True)
class Features:
    """Features of one split, in the order of its annotation file.

    Attributes:
        values: float32 ``(N, D)``.
        labels: int64 ``(N,)``.
    """

    values: np.ndarray
    labels: np.ndarray

    def part(self, indices: np.ndarray) -> Features:
        """Return the samples at ``indices``."""
        return Features(self.values[indices], self.labels[indices])

    def spread(self) -> dict[str, float]:
        """Measure collapse: ``feature_std`` and ``effective_rank``."""
        values = torch.from_numpy(self.values).double()
        return {
            'feature_std': float(feature_std(values)),
            'effective_rank': float(effective_rank(values)),
        }


def extract_features(cfg: Config, encoder: Encoder, name: str, split: Split) -> Features:
    """Extract the frozen features of a split, from the encoder's clips without augmentation.

    Args:
        cfg: Config of the evaluation.
        name: Name of the split, 'train' or 'test'.

    Raises:
        DataError: Features are not finite, or the loader does not read the split in its order.
    """
    import mmaction.datasets  # noqa: F401  (fills the registry)

    loader = copy.deepcopy(cfg.test_dataloader)
    loader.dataset = copy.deepcopy(cfg[f'{name}_dataloader'].dataset)
    loader.dataset.update(pipeline=copy.deepcopy(encoder.config.clip), test_mode=True)
    loader.sampler = dict(type='DefaultSampler', shuffle=False)
    batches = build_dataloader(loader)
    values, labels = [], []
    for batch in track(batches, f'{name} features', total=len(batches), transient=True):
        values.append(encoder.features_of(batch).cpu().numpy())
        labels += [int(sample.gt_label) for sample in batch['data_samples']]
        wrong = np.flatnonzero(~np.isfinite(values[-1]).all(axis=1))
        if len(wrong):
            number = len(labels) - len(values[-1]) + wrong[0] + 1
            raise DataError(
                f'the features of sample {number} of the annotation are not finite: look at it, or '
                'at the weights, whose training may have diverged'
            )
    if not np.array_equal(labels, split.labels):
        raise DataError(
            f'{split.ann_file}: the loader gave {len(labels)} samples that are not its '
            f'{len(split.labels)} in their order: let the data set of the config read all samples, '
            'without drawing or shuffling'
        )
    return Features(np.concatenate(values), split.labels)


def normalize(values: np.ndarray, center: np.ndarray | None = None) -> np.ndarray:
    """Subtract ``center``, if any, and scale the rows of ``(N, D)`` to unit length in float64.

    A row of zeros stays zero.
    """
    unit = values.astype(np.float64)
    if center is not None:
        unit -= center
    lengths = np.sqrt(np.einsum('nd,nd->n', unit, unit))  # linalg.norm would copy the array
    unit /= np.maximum(lengths, 1e-12)[:, None]
    return unit
