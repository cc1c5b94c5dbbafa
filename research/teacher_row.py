#!/usr/bin/env python
"""Evaluate a teacher's own embeddings, an upper reference for its students, and write results.

python research/teacher_row.py linear,knn tsm-lite0 --set jhmdb \
    --cache data/jhmdb/targets/efficientnet_lite0_imagenet.lmdb --method Teacher --out results
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import torch
from mmengine.config import Config

from mmact_ssl.configs.encoder_config import EncoderConfig
from mmact_ssl.encoders.encoder import pool_features
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.evaluation.data import Split, read_splits
from mmact_ssl.evaluation.evaluate import check_inputs, evaluate, plan_protocols
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.evaluation.results import Result
from mmact_ssl.targets.cache import TargetReader


def teacher_features(
    path: str, splits: Mapping[str, Split], deviation: bool = False
) -> tuple[dict[str, Features], str]:
    """Average a teacher's cached embeddings over the frames of each video (our choice).

    ``deviation`` appends the standard deviation over the frames, as in :func:`pool_features`.

    Returns:
        Features of each split, and the identity of the cache's targets.
    """
    reader = TargetReader(path, command='python tools/extract_targets.py CONFIG --data DATA')
    if reader.meta.kind != 'embedding':
        raise ConfigError(f'{path} holds {reader.meta.kind!r}: only embeddings are features')
    features = {}
    for name, split in splits.items():
        videos = (torch.from_numpy(reader.get(reader.find(video))) for video in split.names)
        values = [pool_features(frames, len(frames), deviation)[0] for frames in videos]
        features[name] = Features(torch.stack(values).numpy(), split.labels)
    return features, reader.meta.identity


def evaluate_teacher(
    cfg: Config,
    encoder: EncoderConfig,
    protocols: Sequence[str],
    cache: str,
    method: str,
    variant: str = 'full',
) -> Iterator[Result]:
    """Evaluate a cache by protocols on frozen features, pooled as those of an encoder.

    The backbone of the results is the cache's name.
    """
    if wrong := [name for name in protocols if not PROTOCOLS[name].frozen]:
        raise ConfigError(f'{wrong[0]} trains an encoder, and a teacher is a cache of embeddings')
    inputs = ProtocolInput(cfg, encoder, None, *read_splits(cfg))
    check_inputs(inputs, protocols)
    splits = dict(train=inputs.train, test=inputs.test)
    inputs.extracted, identity = teacher_features(cache, splits, encoder.deviation)
    for result in evaluate(inputs, protocols, method, variant):
        yield replace(result, backbone=Path(cache).stem, checkpoint_hash=identity)


def main(argv: list[str] | None = None) -> None:
    """Evaluate a teacher, and write each result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('protocols')
    parser.add_argument('encoder', help='encoder whose pooling and data set are taken')
    parser.add_argument('--set')
    for option in ('--cache', '--method', '--out'):
        parser.add_argument(option, required=True)
    parser.add_argument('--variant', default='full')
    args = parser.parse_args(argv)
    with one_line_errors():
        cfg, encoder = read_evaluation(args.encoder, dataset=args.set)
        protocols = plan_protocols(args.protocols)
        words = (args.cache, args.method, args.variant)
        for result in evaluate_teacher(cfg, encoder, protocols, *words):
            print(f'wrote {result.run} to {result.write(args.out)}')


if __name__ == '__main__':
    main()
