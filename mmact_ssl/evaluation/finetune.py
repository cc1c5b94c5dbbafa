"""End-to-end fine-tuning with a mmengine Runner; from a random encoder: supervised from scratch."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.evaluation.accuracy import mean_class_accuracy
from mmact_ssl.evaluation.data import Split

LABELLED_SAMPLES = 'labeled_samples.txt'


def evaluate_finetune(
    cfg: Config,
    recognizer: nn.Module,
    train: Split,
    work_dir: str,
    seed: int = 0,
    label_fraction: float = 1.0,
    min_iters_per_epoch: int = 0,
    pretrained: bool = False,
    pretrained_lr_mult: float = 1.0,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Train the whole recognizer by the config's schedule and judge the last epoch.

    The schedule is the config's alone: no epoch is chosen and nothing is tuned on the test split.
    The labeled samples are written to ``<work_dir>/labeled_samples.txt``.

    Args:
        cfg: Downstream config with a training schedule.
        recognizer: Initialized, the student loaded.
        train: The training split.
        work_dir: Of the Runner: logs, the last checkpoint.
        seed: Of the drawn samples, their order and augmentation.
        label_fraction: Share of every class that is used, see
            :func:`mmact_ssl.datasets.label_subset.label_subset`.
        min_iters_per_epoch: A small labeled part is repeated until an epoch has this many
            iterations, so that few labels do not mean almost no training.
        pretrained: Whether the student was loaded; False is training from scratch.
        pretrained_lr_mult: Learning rate of a pre-trained backbone relative to the config's, at
            which the classifier, and all of a random network, learn.

    Returns:
        Metrics in 0..1: ``top1``, ``top5``, ``mean_class``; and details: ``confusion``, counts, a
        row per true class, a column per predicted one.
    """
    labeled = label_subset(train.names, train.labels, label_fraction, seed)
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    ann_file = Path(work_dir) / LABELLED_SAMPLES
    ann_file.write_text(''.join(train.lines(labeled)), encoding='utf-8')
    cfg = copy.deepcopy(cfg)
    if pretrained:
        slow_down(cfg.optim_wrapper, pretrained_lr_mult)
    loader = cfg.train_dataloader
    loader.dataset.ann_file = str(ann_file)
    per_epoch = math.ceil(len(labeled) / loader.batch_size)
    if per_epoch < min_iters_per_epoch:
        times = math.ceil(min_iters_per_epoch * loader.batch_size / len(labeled))
        loader.dataset = dict(type='mmengine.RepeatDataset', dataset=loader.dataset, times=times)
    cfg.train_dataloader = loader
    runner = make_runner(cfg, recognizer, work_dir, seed, train=True)
    runner.train()
    return recognition_metrics(runner.test())


def make_runner(
    cfg: Config, recognizer: nn.Module, work_dir: str, seed: int = 0, train: bool = False
) -> Runner:
    """Make the Runner that tests a recognizer and, if asked, trains it by the config's schedule."""
    several = isinstance(cfg.test_evaluator, (list, tuple))
    evaluators = list(cfg.test_evaluator) if several else [cfg.test_evaluator]
    training = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
    return Runner(
        model=recognizer,
        work_dir=work_dir,
        test_dataloader=cfg.test_dataloader,
        test_cfg=cfg.test_cfg,
        test_evaluator=[*evaluators, dict(type='mmaction.ConfusionMatrix')],
        default_hooks=cfg.get('default_hooks'),
        custom_hooks=cfg.get('custom_hooks') if train else None,
        env_cfg=cfg.get('env_cfg', dict(dist_cfg=dict(backend='nccl'))),
        log_level=cfg.get('log_level', 'INFO'),
        log_processor=cfg.get('log_processor'),
        randomness=dict(seed=seed),
        default_scope=cfg.get('default_scope', 'mmaction'),
        # Runners of one process are told apart by name; two of one config must not share logs.
        experiment_name=f'finetune_{Path(work_dir).name}_{id(recognizer)}',
        cfg=cfg,
        **({key: cfg[key] for key in training} if train else {}),
    )


def recognition_metrics(metrics: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Rename mmaction2's metrics, and judge the confusion matrix as all other protocols do."""
    confusion = metrics['confusion_matrix/result'].numpy()  # [K, K]
    names = {'acc/top1': 'top1', 'acc/top5': 'top5'}
    found = {name: float(metrics[key]) for key, name in names.items() if key in metrics}
    return (
        {**found, 'mean_class': mean_class_accuracy(confusion)},
        {'confusion': confusion.tolist()},
    )


def slow_down(optim_wrapper: dict, lr_mult: float) -> None:
    """Let the parameters under ``backbone`` learn at ``lr_mult`` times the rate, in place."""
    paramwise = dict(optim_wrapper.get('paramwise_cfg') or {})
    custom_keys = dict(paramwise.get('custom_keys') or {})
    custom_keys['backbone'] = {**custom_keys.get('backbone', {}), 'lr_mult': lr_mult}
    # Assigned at last: mmengine's configs keep copies of what is put into them.
    optim_wrapper['paramwise_cfg'] = {**paramwise, 'custom_keys': custom_keys}
