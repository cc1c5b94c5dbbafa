"""Frozen features: extraction with a backbone, a cache on disk, and measures of collapse."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from rich.progress import track
from torch import nn
from torch.utils.data import SequentialSampler

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.feature_cache import cache_key


@dataclass(frozen=True)
class Features:
    """Features of one split, in the order of its annotation file.

    Attributes:
        values: float32 [N, D].
        labels: int64 [N].
    """

    values: np.ndarray
    labels: np.ndarray

    def part(self, indices: np.ndarray) -> Features:
        """Return the samples at ``indices``."""
        return Features(self.values[indices], self.labels[indices])


class WholeSampler(SequentialSampler):
    """All samples in order, in this process alone.

    mmengine's DefaultSampler gives each process a share, and waits for all of them to agree on a
    seed: in vain where only one reads.

    Args:
        dataset: The samples.
        seed: Not read; mmengine passes it.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        super().__init__(dataset)


def read_whole(loader: dict) -> None:
    """Let the dataloader that ``loader`` is a config of read all samples in order."""
    loader['sampler'] = dict(type=WholeSampler)
    loader.pop('batch_sampler', None)  # one that groups by length would change the order


def feature_dataloader(cfg: Config, split: str) -> dict:
    """Make the dataloader config that reads ``split`` in order and without augmentation.

    Args:
        cfg: Downstream config; the test pipeline is used for both splits.
        split: 'train' or 'test'.

    Returns:
        A config for ``Runner.build_dataloader``.
    """
    loader = copy.deepcopy(cfg.test_dataloader)
    dataset = copy.deepcopy(cfg[f'{split}_dataloader'].dataset)
    dataset.pipeline = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    dataset.test_mode = True
    loader.dataset = dataset
    read_whole(loader)
    return loader


def build_pooling(pooling: dict | None, loader: dict, owner: str) -> nn.Module | None:
    """Build ``feature_pooling``, which skeletons need and videos do without.

    Args:
        pooling: Config, or None.
        loader: Config of a dataloader that reads the samples.
        owner: For the error: whose setting it is.

    Raises:
        ConfigError: Skeletons are read and nothing says how to pool them.
    """
    if pooling is not None:
        from mmaction.registry import MODELS

        return MODELS.build(pooling).eval()
    if 'skeleton' in (loader['dataset'].get('data_prefix') or {}):
        raise ConfigError(
            f'{owner}: skeletons are padded, so that a plain mean is wrong; set '
            "feature_pooling=dict(type='mmact_ssl.SkeletonPooling')"
        )
    return None


def pool_features(output: torch.Tensor | tuple, num_clips: int) -> torch.Tensor:
    """Average a backbone's map over its positions and over the clips of a video.

    Args:
        output: [B*num_clips, D, ...], or a tuple of which the last is read.
        num_clips: Clips per video.

    Returns:
        [B, D].
    """
    feature = output[-1] if isinstance(output, (tuple, list)) else output
    feature = feature.flatten(2).mean(dim=2) if feature.ndim > 2 else feature  # [B*num_clips, D]
    return feature.unflatten(0, (-1, num_clips)).mean(dim=1)


def forward_features(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batches: Iterable[dict],
    pooling: nn.Module | None = None,
) -> Features:
    """Run a backbone over batches of stock mmaction2 samples. Modes and gradients are the caller's.

    Args:
        backbone: Takes float [B*num_clips, C, T, H, W], or skeletons [B*num_clips, M, T, V, C].
        data_preprocessor: Turns a collated batch into stacked, normalized ``inputs`` of
            [B, num_clips, ...] and ``data_samples`` with ``gt_label``.
        batches: Of a dataloader.
        pooling: Of skeletons: takes the backbone's map and the valid frames, bool
            [B*num_clips, M, T], and gives [B*num_clips, D]. None: the mean over all positions.
    """
    values, labels = [], []
    for batch in batches:
        data = data_preprocessor(batch, training=False)
        num_clips = data['inputs'].shape[1]
        inputs = data['inputs'].flatten(0, 1)  # [B*num_clips, C, T, H, W] or [..., M, T, V, C]
        output = backbone(inputs)
        if pooling is not None:
            from mmact_ssl.models.skeletons import valid_frames

            output = pooling(output, valid_frames(inputs))  # [B*num_clips, D]
        values.append(pool_features(output, num_clips).float().cpu().numpy())
        labels += [int(sample.gt_label) for sample in data['data_samples']]
    return Features(np.concatenate(values), np.asarray(labels, dtype=np.int64))


def extract_features(
    cfg: Config,
    recognizer: nn.Module,
    splits: dict[str, Split],
    device: str = 'cpu',
    cache_dir: str | None = None,
) -> dict[str, Features]:
    """Extract the frozen features of each split, or read them from the cache.

    Args:
        cfg: Downstream config.
        recognizer: Of :func:`mmact_ssl.evaluation.student.build_recognizer`.
        splits: By name, 'train' and 'test'.
        device: Where the backbone runs.
        cache_dir: Folder of the cache, see :func:`mmact_ssl.evaluation.feature_cache.cache_key`;
            None for none.

    Returns:
        Features by split name.
    """
    import mmaction.datasets  # noqa: F401  (fills the registry)

    recognizer = recognizer.to(device).eval()
    backbone = recognizer.get_submodule('backbone')
    data_preprocessor = recognizer.get_submodule('data_preprocessor')
    pooling = build_pooling(cfg.get('feature_pooling'), cfg.test_dataloader, cfg.filename)
    if pooling is not None:
        pooling = pooling.to(device)
    result = {}
    for name, split in splits.items():
        loader = feature_dataloader(cfg, name)
        path = None
        if cache_dir is not None:
            path = Path(cache_dir) / f'{cache_key(cfg, backbone, loader, split)}.npz'
        if path is not None and path.is_file():
            with np.load(path, allow_pickle=False) as stored:
                result[name] = Features(stored['values'], stored['labels'])
            print_log(f'{name} features from {path}', logger='current')
            continue
        batches = Runner.build_dataloader(loader)
        with torch.no_grad():
            result[name] = forward_features(
                backbone,
                data_preprocessor,
                track(batches, f'{name} features', total=len(batches), transient=True),
                pooling,
            )
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two runs may share the cache: write beside, then move, which is atomic.
            beside = path.with_name(f'.{os.getpid()}.{path.name}')
            np.savez(beside, values=result[name].values, labels=result[name].labels)
            beside.replace(path)
    return result


def normalize(values: np.ndarray, center: np.ndarray | None = None) -> np.ndarray:
    """Scale rows to unit length in float64, after subtracting ``center`` where it is given.

    Args:
        values: [N, D].
        center: [D], as a rule the training split's mean.

    Returns:
        float64 [N, D]; a row of zeros stays one.
    """
    values = values.astype(np.float64) - (0.0 if center is None else center.astype(np.float64))
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def feature_std(values: np.ndarray) -> float:
    """Measure collapse by the deviation of unit-length features, as SimSiam does.

    Chen and He, arXiv 2011.10566.

    Args:
        values: [N, D].

    Returns:
        sqrt(D) times the mean over channels of the deviation over samples: 0 when all samples
        share one direction, 1 when directions are uniform on the sphere.
    """
    unit = normalize(values)
    return float(np.sqrt(values.shape[1]) * unit.std(axis=0).mean())


def effective_rank(values: np.ndarray) -> float:
    """Count the directions that features use: exp of the entropy of normalized singular values.

    Roy and Vetterli, "The effective rank", EUSIPCO 2007; of the centered features (our choice).

    Args:
        values: [N, D].

    Returns:
        1 .. min(N - 1, D); 0 when all features are equal.
    """
    centered = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    singular = np.linalg.svd(centered, compute_uv=False)
    if singular[0] <= 1e-10 * max(1.0, float(np.abs(values).max())):
        return 0.0
    share = singular / singular.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
