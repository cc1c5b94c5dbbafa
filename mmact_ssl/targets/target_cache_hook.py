"""Record of the teachers' caches in a checkpoint, and its comparison."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.registry import HOOKS
from mmact_ssl.saved_run import CACHES_KEY
from mmact_ssl.targets.cache import TargetCacheError, read_meta
from mmact_ssl.targets.inspection import cache_version, doubtful_poses
from mmact_ssl.targets.load_targets import caches_read_by

# Target -> fingerprint of its teacher -> the source that the cache names.
Teachers = dict[str, dict[str, str]]
SENTENCES_KEY = 'target_sentences'


@HOOKS.register_module()
class TargetCacheHook(Hook):
    """Save which teachers made the targets, and refuse others where a checkpoint comes back.

    A run that is resumed, or tested, after a cache was made anew by another teacher would go on as
    if nothing had happened. So the fingerprints of the caches are logged when training starts and
    saved in the checkpoint's ``meta``. A resumed run must find those of the training; a test those
    of the training or of the test split at that time. Other targets are not compared. A teacher's
    fingerprint does not cover the sentences that it embedded: where these have changed, a resumed
    run gets a warning. Our choice.

    Args:
        any_teacher: Compare nothing.

    Raises:
        TargetCacheError: A cache is of another teacher than the checkpoint's.
    """

    def __init__(self, any_teacher: bool = False) -> None:
        self.any_teacher = any_teacher
        self._now: dict[str, Teachers] = {}
        self._saved: dict[str, Teachers] = {}
        # Target -> hash of the embeddings of all sentences, of several caches one after the other.
        self._sentences: dict[str, str] = {}
        self._saved_sentences: dict[str, str] = {}

    def before_train(self, runner: Runner) -> None:
        self._now = {
            split: find_teachers(runner.cfg.get(f'{split}_dataloader'))
            for split in ('train', 'test')
        }
        for target, teachers in self._now['train'].items():
            for fingerprint, source in teachers.items():
                runner.logger.info(f'cached {target!r} are of {source} ({fingerprint[:12]})')
        sentences: dict[str, list[str]] = {}
        for target, path in sorted(set(caches_read_by(runner.cfg.get('train_dataloader')))):
            with suppress(TargetCacheError):  # the reader raises the detailed error
                if doubt := doubtful_poses(path):
                    runner.logger.warning(doubt)
                if read_meta(path).kind == 'text':
                    sentences.setdefault(target, []).append(cache_version(path))
        self._sentences = {target: ' '.join(sorted(found)) for target, found in sentences.items()}
        # Weights to start from may come from other targets.
        if runner._resume:
            self._compare(self._now['train'], self._saved.get('train', {}))
            for target, version in self._sentences.items():
                if self._saved_sentences.get(target, version) != version:
                    runner.logger.warning(
                        f'the cache of the target {target!r} holds other sentences than when the '
                        'checkpoint was saved: training goes on with these'
                    )

    def before_test(self, runner: Runner) -> None:
        known: Teachers = {}
        for split in self._saved.values():
            for target, teachers in split.items():
                known[target] = {**known.get(target, {}), **teachers}
        self._compare(find_teachers(runner.cfg.get('test_dataloader')), known)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['meta'][CACHES_KEY] = self._now
        checkpoint['meta'][SENTENCES_KEY] = self._sentences

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # One without a record is accepted.
        self._saved = checkpoint.get('meta', {}).get(CACHES_KEY, {})
        self._saved_sentences = checkpoint.get('meta', {}).get(SENTENCES_KEY, {})

    def _compare(self, found: Teachers, known: Teachers) -> None:
        if self.any_teacher:
            return
        for target, teachers in found.items():
            for fingerprint, source in teachers.items():
                if target in known and fingerprint not in known[target]:
                    wanted = ' or '.join(f'{s} ({f[:12]})' for f, s in known[target].items())
                    raise TargetCacheError(
                        f'the cache of the target {target!r} is of {source} ({fingerprint[:12]}), '
                        f'the checkpoint was trained under {wanted}: give LoadTargets that cache. '
                        'To change the teacher on purpose, start a new run with load_from, or test '
                        'with --any-teacher'
                    )


def find_teachers(loader: Any) -> Teachers:
    """List the teachers whose targets a data loader's config reads, without missing caches."""
    found: Teachers = {}
    for target, path in caches_read_by(loader):
        try:
            meta = read_meta(path)
        except TargetCacheError:
            continue  # the reader raises the detailed error; training needs no test split
        found.setdefault(target, {})[meta.identity] = meta.source or 'an unnamed source'
    return found
