"""Record of the teachers' caches in a checkpoint, and its comparison."""

from __future__ import annotations

from contextlib import suppress
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmact_ssl.io.files import sha256_of
from mmact_ssl.io.student_file import CACHES_KEY
from mmact_ssl.registry import HOOKS
from mmact_ssl.targets.cache import TargetCacheError, TargetReader
from mmact_ssl.targets.load_targets import caches_read_by

# {target: {fingerprint of its teacher: source in the cache's meta data, and hash of sentences}}
Teachers = dict[str, dict[str, str]]
LOW_SCORE = 0.3  # of poses (our choice); MoveNet's mean on JHMDB is 0.39
SAMPLE = 64  # videos whose scores are read, and the distance of frames


@HOOKS.register_module()
class TargetCacheHook(Hook):
    """Hook that saves the targets' teachers in the checkpoint and refuses other teachers later.

    Without it, nothing would show that another teacher has made a cache anew before a run is
    resumed or tested. The hook logs the fingerprints of the caches when training starts and saves
    them in the checkpoint's ``meta``. A resumed run must have the training's fingerprints; a test
    must have those of the training or of the test split at that time. Targets without a record are
    not compared. A fingerprint does not cover the sentences that a teacher embedded: if these have
    changed, a resumed run gets a warning. Our choice.

    Raises:
        TargetCacheError: A cache is of another teacher than the checkpoint's.
    """

    def __init__(self) -> None:
        self._now: dict[str, Teachers] = {}
        self._saved: dict[str, Teachers] = {}

    def before_train(self, runner: Runner) -> None:
        self._now = {
            split: find_teachers(runner.cfg.get(f'{split}_dataloader'))
            for split in ('train', 'test')
        }
        for target, teachers in self._now['train'].items():
            for fingerprint, source in teachers.items():
                runner.logger.info(f'cached {target!r} are of {source} ({fingerprint[:12]})')
        for _, path in sorted(set(caches_read_by(runner.cfg.get('train_dataloader')))):
            with suppress(TargetCacheError):  # the reader raises the detailed error
                if doubt := doubtful_poses(path):
                    runner.logger.warning(doubt)
        # A run that starts from weights (load_from) may use other targets.
        if runner._resume:
            self._compare(self._now['train'], self._saved.get('train', {}))

    def before_test(self, runner: Runner) -> None:
        known: Teachers = {}
        for split in self._saved.values():
            for target, teachers in split.items():
                known[target] = {**known.get(target, {}), **teachers}
        self._compare(find_teachers(runner.cfg.get('test_dataloader')), known)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['meta'][CACHES_KEY] = self._now

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # A checkpoint without a record is accepted.
        self._saved = checkpoint.get('meta', {}).get(CACHES_KEY, {})

    def _compare(self, current: Teachers, known: Teachers) -> None:
        for target, teachers in current.items():
            for fingerprint, source in teachers.items():
                if target in known and fingerprint not in known[target]:
                    expected = ' or '.join(f'{s} ({f[:12]})' for f, s in known[target].items())
                    raise TargetCacheError(
                        f'the cache of the target {target!r} is of {source} ({fingerprint[:12]}), '
                        f'the checkpoint was trained under {expected}: give LoadTargets that '
                        'cache. To change the teacher on purpose, start a new run with load_from'
                    )
                if known.get(target, {}).get(fingerprint, source) != source:
                    change = f'{source}, was {known[target][fingerprint]}'
                    print_log(f'target {target!r}: is {change}', 'current', WARNING)


def find_teachers(loader: Any) -> Teachers:
    """List the teachers of the caches that a data loader's config reads; skip missing caches."""
    teachers: Teachers = {}
    for target, path in caches_read_by(loader):
        try:
            reader = TargetReader(path)
        except TargetCacheError:
            continue  # the reader raises the detailed error; training needs no test split
        source = reader.meta.source or 'an unnamed source'
        if reader.meta.kind == 'text':
            hashes = sorted(reader.source_hashes(reader.keys()).items())
            source += f' on sentences {sha256_of(str(hashes))[:8]}'
        teachers.setdefault(target, {})[reader.meta.identity] = source
    return teachers


def doubtful_poses(path: str | Path) -> str:
    """Warning about a cache of poses with low scores; '' for any other cache."""
    reader = TargetReader(path)
    keys = reader.keys()
    if reader.meta.kind != 'pose' or not keys:
        return ''
    chosen = keys[:: max(1, -(-len(keys) // SAMPLE))]
    scores = [reader.get(key, range(0, reader.shape(key)[0], SAMPLE))[..., 2] for key in chosen]
    mean = float(np.concatenate(scores).mean())
    if mean >= LOW_SCORE:
        return ''
    return (
        f'{path}: the mean score of the poses is {mean:.2f}: the teacher hardly sees persons here, '
        'and its poses may teach nothing; look at the videos, or take another teacher '
        '(docs/extend/teachers.md)'
    )
