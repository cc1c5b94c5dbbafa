#!/usr/bin/env python
"""Evaluate a published pair on cached poses: no teacher runs, and video features are kept.

    python tools/extract_targets.py configs/teachers/movenet_thunder.py --data data/jhmdb --every 4
    python tools/research/pair_from_cache.py data/jhmdb/targets/pose.lmdb linear,knn,retrieval \
        --set jhmdb video_and_pose --out results

After the cache come the arguments of tools/evaluate.py, which runs the teacher and gives the same
figures (tests/test_apis/test_pair.py). A video of at most 61 frames needs each fourth frame alone;
for a longer one a cache of some frames is refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from mmact_ssl.evaluation.data import Split
    from mmact_ssl.targets.cache import TargetReader


def features_from(cache: str) -> Callable[[str, argparse.Namespace], Callable]:
    """Make a function like ``pair_features`` of tools/evaluate.py that reads poses from a cache."""

    def of_pair(path: str, args: argparse.Namespace) -> Callable[[Split], np.ndarray]:
        import torch

        from mmact_ssl.apis import load_model
        from mmact_ssl.apis.pair import with_pose_frames
        from mmact_ssl.datasets.video_reader import VideoReader
        from mmact_ssl.engine.device import find_device
        from mmact_ssl.evaluation.downstream import config_for
        from mmact_ssl.evaluation.features import extract_features
        from mmact_ssl.evaluation.student import build_recognizer, with_saved_backbone
        from mmact_ssl.files import video_path
        from mmact_ssl.saved_run import SavedRun
        from mmact_ssl.targets.cache import TargetReader

        pair = load_model(path)
        reader = TargetReader(cache, pair.teacher.fingerprint())
        saved = SavedRun.read(pair.video.path)
        cfg = with_saved_backbone(config_for(saved, args.data, args.cfg_options, args.set), saved)
        known: dict[str, np.ndarray] = {}

        def skeleton(split: Split, name: str) -> dict | None:
            with VideoReader(video_path(split.root, name)) as video:
                total, (height, width) = video.total_frames, video.read([0])[0].shape[:2]
            window = with_pose_frames(dict(start_index=0, total_frames=total))
            poses = stored_poses(reader, name, np.array(window['pose_inds']), total)
            return pair.pose_sample(poses, width, height, name)

        def features(split: Split) -> np.ndarray:
            is_train = split.ann_file == cfg.train_dataloader.dataset.ann_file
            part = 'train' if is_train else 'test'
            if part not in known:
                recognizer = build_recognizer(cfg, 0, saved)
                device = find_device(args.device)
                cache_dir = args.cache_dir or None
                found = extract_features(cfg, recognizer, {part: split}, device, cache_dir)
                videos = torch.from_numpy(found[part].values)
                known[part] = pair.join(videos, [skeleton(split, n) for n in split.names]).numpy()
            return known[part]

        return features

    return of_pair


def stored_poses(reader: TargetReader, name: str, frames: np.ndarray, total: int) -> np.ndarray:
    """Read the poses of frames; DataError if the cache interpolates one of them."""
    from mmact_ssl.errors import DataError
    from mmact_ssl.targets.values import spread

    every = reader.meta.every
    if not np.isin(frames, spread(total, every)).all():
        raise DataError(
            f'{reader.path}: of each {every} frames of {name} it has one, and the pair sees others '
            f'of its {total} frames: extract the poses without --every'
        )
    return reader.get_frames(name, frames, total)


def main(argv: list[str]) -> None:
    """Evaluate as tools/evaluate.py does."""
    from tools import evaluate

    args = evaluate.parse_args(argv[1:])
    import mmact_ssl  # noqa: F401  (its fixes come before any import of mmaction2)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        evaluate.run(args, features_from(argv[0]))


if __name__ == '__main__':
    main(sys.argv[1:])
