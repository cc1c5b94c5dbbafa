"""The mmengine Runner that trains and tests whole recognizers, and its metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.evaluation.accuracy import mean_class_accuracy
from mmact_ssl.models.encoding import check_sampling, shift_length

NON_FINITE = dict(type='mmact_ssl.NonFiniteHook')


def make_runner(
    cfg: Config, recognizer: nn.Module, work_dir: str, seed: int = 0, train: bool = False
) -> Runner:
    """Make the Runner that tests a recognizer and, if asked, trains it by the config's schedule."""
    for name in ('train_dataloader', 'test_dataloader')[not train :]:
        backbone = recognizer.get_submodule('backbone')
        check_sampling(shift_length(backbone), cfg[name], f'{name}: ')
    several = isinstance(cfg.test_evaluator, (list, tuple))
    evaluators = list(cfg.test_evaluator) if several else [cfg.test_evaluator]
    training = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
    return PretrainRunner(
        model=recognizer,
        work_dir=work_dir,
        test_dataloader=cfg.test_dataloader,
        test_cfg=cfg.test_cfg,
        test_evaluator=[*evaluators, dict(type='mmaction.ConfusionMatrix')],
        default_hooks=cfg.get('default_hooks'),
        custom_hooks=[*(cfg.get('custom_hooks') or []), NON_FINITE] if train else None,
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
    """Convert mmaction2's metrics to the form of :func:`accuracy_metrics`."""
    confusion = metrics['confusion_matrix/result'].numpy()  # (K, K)
    names = ('top1', 'top5') if len(confusion) > 5 else ('top1',)
    accuracy = {name: float(metrics[f'acc/{name}']) for name in names if f'acc/{name}' in metrics}
    accuracy['mean_class'] = mean_class_accuracy(confusion)
    return accuracy, {'confusion': confusion.tolist()}
