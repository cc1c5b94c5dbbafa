"""End-to-end fine-tuning with a mmengine Runner; from a random encoder: supervised from scratch."""

from __future__ import annotations

import copy
import math
from pathlib import Path

from mmact_ssl.evaluation.recognizer_runner import make_runner, recognition_metrics
from mmact_ssl.evaluation.student import start_hash
from mmact_ssl.files import write_atomically

from .base import Measured, Task

LABELED_SAMPLES = 'labeled_samples.txt'


def evaluate(task: Task, min_iters_per_epoch: int = 0, pretrained_lr_mult: float = 1.0) -> Measured:
    """Train the whole recognizer by the config's schedule and test the last epoch.

    No epoch is chosen and nothing is tuned on the test split. The labeled samples are written to
    ``<work_dir>/labeled_samples.txt``.

    Args:
        min_iters_per_epoch: A small labeled part is repeated until an epoch has this many.
        pretrained_lr_mult: Learning rate of a pre-trained backbone, or of one that starts from
            weights of its own, relative to the config's.
    """
    request, count = task.request, len(task.labeled)
    ann_file = Path(request.work_dir) / LABELED_SAMPLES
    write_atomically(ann_file, ''.join(task.train.lines(task.labeled)))
    cfg = copy.deepcopy(request.cfg)
    if request.checkpoint is not None or start_hash(cfg):
        slow_down_backbone(cfg.optim_wrapper, pretrained_lr_mult)
    loader = cfg.train_dataloader
    loader.dataset.ann_file = str(ann_file)
    if math.ceil(count / loader.batch_size) < min_iters_per_epoch:
        times = math.ceil(min_iters_per_epoch * loader.batch_size / count)
        loader.dataset = dict(type='mmengine.RepeatDataset', dataset=loader.dataset, times=times)
    recognizer = task.build_recognizer()
    runner = make_runner(cfg, recognizer, request.work_dir, request.seed, train=True)
    runner.train()
    return Measured(*recognition_metrics(runner.test()))


def slow_down_backbone(optim_wrapper: dict, lr_mult: float) -> None:
    """Multiply the learning rate of the parameters under ``backbone``, in place."""
    paramwise = dict(optim_wrapper.get('paramwise_cfg') or {})
    custom_keys = dict(paramwise.get('custom_keys') or {})
    custom_keys['backbone'] = {**custom_keys.get('backbone', {}), 'lr_mult': lr_mult}
    # Assigned at last: mmengine's configs keep copies of what is put into them.
    optim_wrapper['paramwise_cfg'] = {**paramwise, 'custom_keys': custom_keys}
