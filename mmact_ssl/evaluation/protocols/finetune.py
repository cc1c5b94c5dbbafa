"""End-to-end fine-tuning with a mmengine Runner, or supervised training of a random encoder."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict
from pathlib import Path

from mmengine.runner import Runner

from mmact_ssl.encoders.encoder import weights_hash
from mmact_ssl.engine.optimizers import unwrap_model
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput
from mmact_ssl.evaluation.recognizer import make_runner, recognition_metrics
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.records import LabelsRead
from mmact_ssl.io.student_file import RECORD

LABELED_SAMPLES = 'labeled_samples.txt'


def evaluate(
    inputs: ProtocolInput, min_iters_per_epoch: int = 0, pretrained_lr_mult: float = 1.0
) -> Measured:
    """Train the whole recognizer by the config's schedule and test the last epoch.

    The test split is not used to choose an epoch or to tune anything. Writes the labeled samples to
    ``<work_dir>/labeled_samples.txt``.

    Args:
        min_iters_per_epoch: Smallest number of iterations an epoch; few labeled samples repeat.
        pretrained_lr_mult: Factor of the learning rate of a backbone that is not random.
    """
    count = len(inputs.labeled)
    ann_file = Path(inputs.work_dir) / LABELED_SAMPLES
    write_atomically(ann_file, ''.join(inputs.train.lines(inputs.labeled)))
    cfg = copy.deepcopy(inputs.cfg)
    shared = cfg.get('shared_label_pattern') or ''
    read = LabelsRead(cfg.dataset_name, inputs.label_fraction, inputs.seed, shared)
    cfg[RECORD] = dict(encoder=inputs.encoder.record, data=cfg.dataset_name, labels=asdict(read))
    loader = cfg.train_dataloader
    loader.dataset.ann_file = str(ann_file)
    if math.ceil(count / loader.batch_size) < min_iters_per_epoch:
        times = math.ceil(min_iters_per_epoch * loader.batch_size / count)
        loader.dataset = dict(type='mmengine.RepeatDataset', dataset=loader.dataset, times=times)
    runner = make_runner(cfg, inputs.build_recognizer(), inputs.work_dir, inputs.seed, train=True)
    if weights_hash(inputs.encoder, inputs.saved):
        slow_down_backbone(runner, pretrained_lr_mult)
    runner.train()
    return Measured(*recognition_metrics(runner.test()))


def slow_down_backbone(runner: Runner, lr_mult: float) -> None:
    """Build the optimizer and multiply the learning rate of the parameters under ``backbone``.

    A custom key of ``paramwise_cfg`` would override the config's own settings, such as
    ``norm_decay_mult``.
    """
    cfg = copy.deepcopy(runner.optim_wrapper)
    # With param-wise settings, even empty ones, mmengine makes a group for each parameter.
    cfg['paramwise_cfg'] = cfg.get('paramwise_cfg') or {'custom_keys': {}}
    runner.optim_wrapper = runner.build_optim_wrapper(cfg)
    backbone = {id(value) for value in unwrap_model(runner.model).backbone.parameters()}
    for group in runner.optim_wrapper.param_groups:
        if {id(value) for value in group['params']} <= backbone:
            group['lr'] *= lr_mult
