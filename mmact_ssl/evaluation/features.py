"""Frozen features: their extraction, and measures of collapse."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from rich.progress import track
from torch import nn
from torch.utils.data import SequentialSampler as TorchSequentialSampler

from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.models.encoding import check_whole_clips, shift_length
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


class SequentialSampler(TorchSequentialSampler):
    """All samples in order, in this process alone.

    mmengine's DefaultSampler lets all processes agree on a seed, which blocks if only one process
    reads. Ignores the seed that mmengine passes.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        super().__init__(dataset)


def feature_dataloader(cfg: Config, split: str) -> dict:
    """Make the config of a dataloader that reads the split 'train' or 'test' in order.

    Both use the test pipeline of the downstream config, which has no augmentation.
    """
    loader = copy.deepcopy(cfg.test_dataloader)
    dataset = copy.deepcopy(cfg[f'{split}_dataloader'].dataset)
    dataset.pipeline = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    dataset.test_mode = True
    loader.dataset = dataset
    loader.sampler = dict(type=SequentialSampler)
    loader.pop('batch_sampler', None)  # grouping by length would change the order
    return loader


def build_pooling(cfg: Config) -> nn.Module | None:
    """Build a downstream config's ``feature_pooling``; only videos may have none."""
    if cfg.get('feature_pooling') is not None:
        from mmaction.registry import MODELS

        return MODELS.build(cfg.feature_pooling).eval()
    if 'skeleton' in (cfg.test_dataloader.dataset.get('data_prefix') or {}):
        raise ConfigError(
            f'{cfg.filename}: skeletons are padded, and a plain mean would be wrong; set '
            "feature_pooling=dict(type='mmact_ssl.SkeletonPooling')"
        )
    return None


def pool_features(
    output: torch.Tensor | tuple, num_clips: int, deviation: bool = False
) -> torch.Tensor:
    """Average a backbone's map over its positions and over the clips of a video, ``(B, D)``.

    Args:
        output: ``(B*num_clips, D, ...)``, or a tuple with this as its last entry.
        num_clips: Clips per video; for a 2D network, frames.
        deviation: Append the standard deviation over the clips, ``(B, 2*D)``.
    """
    feature = output[-1] if isinstance(output, (tuple, list)) else output
    feature = feature.flatten(2).mean(dim=2) if feature.ndim > 2 else feature  # (B*num_clips, D)
    clips = feature.unflatten(0, (-1, num_clips))
    spread = [clips.std(dim=1, correction=0)] if deviation else []
    return torch.cat([clips.mean(dim=1), *spread], dim=1)


def encode(
    backbone: nn.Module,
    inputs: torch.Tensor,
    pooling: nn.Module | None = None,
    deviation: bool = False,
) -> torch.Tensor:
    """Encode a normalized batch ``(B, num_clips, ...)`` as features ``(B, D)``.

    For a network that shifts channels in time, ``num_clips`` is a number of frames: those of one
    clip, or of several clips one after the other.
    """
    num_clips, clips = inputs.shape[1], inputs.flatten(0, 1)
    check_whole_clips(shift_length(backbone), num_clips)
    output = backbone(clips)
    if pooling is not None:
        from mmact_ssl.models.skeletons import valid_frames

        output = pooling(output, valid_frames(clips))
    return pool_features(output, num_clips, deviation).float()


def forward_features(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batches: Iterable[dict],
    pooling: nn.Module | None = None,
    deviation: bool = False,
) -> Features:
    """Run a backbone over batches of mmaction2 samples; the caller sets the modules' modes.

    Args:
        backbone: Takes float ``(B*num_clips, C, T, H, W)``, or skeletons ``(..., M, T, V, C)``.
        data_preprocessor: Turns a collated batch into stacked, normalized ``inputs`` of
            ``(B, num_clips, ...)`` and ``data_samples`` with ``gt_label``.
        pooling: Pooling of skeletons: turns the backbone's map and the valid frames, bool
            ``(B*num_clips, M, T)``, into ``(B*num_clips, D)``. None: the mean over positions.
        deviation: See :func:`pool_features`.
    """
    values, labels = [], []
    for batch in batches:
        data = data_preprocessor(batch, training=False)
        values.append(encode(backbone, data['inputs'], pooling, deviation).cpu().numpy())
        labels += [int(sample.gt_label) for sample in data['data_samples']]
        wrong = np.flatnonzero(~np.isfinite(values[-1]).all(axis=1))
        if len(wrong):
            number = len(labels) - len(values[-1]) + wrong[0] + 1
            raise DataError(
                f'the features of sample {number} of the annotation are not finite: look at it, or '
                'at the weights, whose training may have diverged'
            )
    return Features(np.concatenate(values), np.asarray(labels, dtype=np.int64))


def extract_features(
    cfg: Config,
    recognizer: nn.Module,
    splits: Mapping[str, Split],
    device: str = 'cpu',
) -> dict[str, Features]:
    """Extract the frozen features of each split.

    Args:
        recognizer: Recognizer with the student as its backbone.
        splits: Splits by name, 'train' and 'test'.
    """
    import mmaction.datasets  # noqa: F401  (fills the registry)

    recognizer = recognizer.to(device).eval()
    backbone = recognizer.get_submodule('backbone')
    data_preprocessor = recognizer.get_submodule('data_preprocessor')
    pooling = build_pooling(cfg)
    if pooling is not None:
        pooling = pooling.to(device)
    result = {}
    for name, split in splits.items():
        batches = build_dataloader(feature_dataloader(cfg, name))
        shown = track(batches, f'{name} features', total=len(batches), transient=True)
        with torch.no_grad():
            result[name] = forward_features(
                backbone, data_preprocessor, shown, pooling, cfg.get('feature_deviation', False)
            )
        if not np.array_equal(result[name].labels, split.labels):
            raise DataError(
                f'{split.ann_file}: the loader gave {len(result[name].labels)} samples that are '
                f'not its {len(split.labels)} in their order: let the data set of the config '
                'read all samples, without drawing or shuffling'
            )
    return result


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
