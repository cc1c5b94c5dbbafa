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

# {target: {fingerprint of its teacher: source in the cache's meta data}}
Teachers = dict[str, dict[str, str]]
SENTENCES_KEY = 'target_sentences'


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
        # {target: hash of the embeddings of all sentences}; hashes of several caches are joined.
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
        self._sentences = {target: ' '.join(sorted(hashes)) for target, hashes in sentences.items()}
        # A run that starts from weights (load_from) may use other targets.
        if runner._resume:
            self._compare(self._now['train'], self._saved.get('train', {}))
            for target, version in self._sentences.items():
                if self._saved_sentences.get(target, version) != version:
                    runner.logger.warning(
                        f'the cache of the target {target!r} holds other sentences than when the '
                        'checkpoint was saved: training goes on with the new ones'
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
        # A checkpoint without a record is accepted.
        self._saved = checkpoint.get('meta', {}).get(CACHES_KEY, {})
        self._saved_sentences = checkpoint.get('meta', {}).get(SENTENCES_KEY, {})

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


def find_teachers(loader: Any) -> Teachers:
    """List the teachers of the caches that a data loader's config reads; skip missing caches."""
    teachers: Teachers = {}
    for target, path in caches_read_by(loader):
        try:
            meta = read_meta(path)
        except TargetCacheError:
            continue  # the reader raises the detailed error; training needs no test split
        teachers.setdefault(target, {})[meta.identity] = meta.source or 'an unnamed source'
    return teachers
