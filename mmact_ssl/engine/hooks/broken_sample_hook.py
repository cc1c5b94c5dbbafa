"""Count the broken samples of a run and stop when they are too many."""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import write_atomically
from mmact_ssl.preparation.files import VIDEO_SUFFIXES
from mmact_ssl.registry import HOOKS

# A file's name, which may contain a colon, and the reason.
_MESSAGE = re.compile(rf'(.*?({"|".join(map(re.escape, VIDEO_SUFFIXES))})|[^:]*): .*', re.I)


@HOOKS.register_module()
class BrokenSampleHook(Hook):
    """Count the replaced broken samples, list them, and stop the run above a limit.

    Reads the meta information ``replaced`` of the data samples of each training batch. Every
    ``interval`` iterations and at the end of each epoch the hook adds up the counts of all
    processes and writes ``<work_dir>/broken_samples.json`` (``samples``, ``replaced``,
    ``fraction``, ``files`` {message: times}). Above the limit all processes stop with the same
    error. The hook warns at the first broken file and whenever the count doubles. A checkpoint
    holds the counts of the last check, and a resumed run goes on from them. Our choice.

    Args:
        max_fraction: Largest fraction of replaced samples among all samples, 0..1. A single broken
            file, which may be a large part of a small folder, stops a run only if this is 0.
        interval: Iterations between two checks.
    """

    def __init__(self, max_fraction: float = 0.05, interval: int = 100) -> None:
        self.max_fraction = max_fraction
        self.interval = interval
        self._samples = 0
        self._files: Counter[str] = Counter()
        self._warned = 0  # broken files at the last warning
        # Counts of all processes at the last check. Only the main process saves a checkpoint, and
        # cannot gather them then.
        self._totals: dict[str, Any] = {'samples': 0, 'files': {}}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        for data_sample in data_batch['data_samples']:
            self._samples += 1
            if data_sample.replaced:
                self._files[data_sample.replaced] += 1
        if self.every_n_train_iters(runner, self.interval):
            self._check(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        self._check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['broken_samples'] = self._totals

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # A checkpoint of load_from has the counts of another run.
        if not runner._resume or 'broken_samples' not in checkpoint:
            return
        self._totals = checkpoint['broken_samples']
        if is_main_process():  # in one process, because the check adds up all of them
            self._samples = self._totals['samples']
            self._files = Counter(self._totals['files'])

    def _check(self, runner: Runner) -> None:
        # A collective call: all processes check at the same iterations.
        counts = all_gather_object((self._samples, dict(self._files)))
        samples = sum(count for count, _ in counts)
        files: Counter[str] = sum((Counter(part) for _, part in counts), Counter())
        self._totals = {'samples': samples, 'files': dict(files)}
        replaced = sum(files.values())
        if not replaced:
            return
        fraction = replaced / samples
        broken = {_MESSAGE.sub(r'\1', message) for message in files}  # one may have many messages
        path = os.path.join(runner.work_dir, 'broken_samples.json')
        if is_main_process():
            content = dict(samples=samples, replaced=replaced, fraction=fraction, files=files)
            write_atomically(path, json.dumps(content, indent=2, sort_keys=True) + '\n')
            if len(broken) >= max(1, 2 * self._warned):
                self._warned = len(broken)
                message = f'{min(files)}: replaced; broken files so far: {len(broken)}, see {path}'
                print_log(message, 'current', logging.WARNING)
        is_alone = len(broken) == 1 and self.max_fraction > 0
        if fraction > self.max_fraction and not is_alone:
            raise DataError(
                f'{replaced} of {samples} samples are broken, more than max_fraction='
                f'{self.max_fraction} of BrokenSampleHook allows, the first is {min(files)}: '
                f'fix or take out the files listed in {path}'
            )
