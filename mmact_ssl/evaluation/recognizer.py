"""An encoder in mmaction2's recognizer, and the Runner that trains and tests it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.configs.encoder_config import EncoderConfig
from mmact_ssl.encoders.encoder import initialize, load_student, without_initial_weights
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.evaluation.accuracy import mean_class_accuracy
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.weights import take_pretrained
from mmact_ssl.models.encoding import check_sampling, shift_length

NON_FINITE = dict(type='mmact_ssl.NonFiniteHook')


def build_recognizer(
    cfg: Config, encoder: EncoderConfig, seed: int, saved: StudentFile | None = None
) -> nn.Module:
    """Build the recognizer of an evaluation's config with mmaction2's own initialization.

    The same seed gives the same head and, without a file, the same random encoder. The batch
    normalization of a random encoder has the running statistics 0 and 1 until it is fine-tuned.

    Args:
        saved: File with the weights of the encoder's network, whose initial weights are then not
            read and need not exist; None for the initial ones.
    """
    import mmaction.models  # noqa: F401  (fills the registry)
    from mmaction.registry import MODELS

    model = copy.deepcopy(cfg.model)
    if saved is not None:
        model.backbone = ConfigDict(without_initial_weights(model.backbone))
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        recognizer = MODELS.build(model)
        if saved is not None:
            take_pretrained(recognizer.get_submodule('backbone'))
        initialize(recognizer)
    if saved is not None:
        load_student(recognizer.get_submodule('backbone'), encoder, saved)
    return recognizer


def make_runner(
    cfg: Config, recognizer: nn.Module, work_dir: str, seed: int = 0, train: bool = False
) -> Runner:
    """Make the Runner that tests a recognizer and, if asked, trains it by the config's schedule."""
    clip_frames = shift_length(recognizer.get_submodule('backbone'))
    for name in ('train_dataloader', 'test_dataloader') if train else ('test_dataloader',):
        check_sampling(clip_frames, cfg[name], f'{name}: ')
    training = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
    return PretrainRunner(
        model=recognizer,
        work_dir=work_dir,
        test_dataloader=cfg.test_dataloader,
        test_cfg=cfg.test_cfg,
        test_evaluator=[cfg.test_evaluator, dict(type='mmaction.ConfusionMatrix')],
        default_hooks=cfg.get('default_hooks'),
        # The record of a test's settings lacks custom hooks, so it runs without them.
        custom_hooks=[*(cfg.get('custom_hooks') or []), NON_FINITE] if train else None,
        env_cfg=cfg.get('env_cfg', dict(dist_cfg=dict(backend='nccl'))),  # mmengine's default
        log_level=cfg.get('log_level', 'INFO'),
        log_processor=cfg.get('log_processor'),
        randomness=dict(seed=seed),
        default_scope=cfg.get('default_scope', 'mmaction'),
        # mmengine finds loggers by this name; two runners of one config must not share one.
        experiment_name=f'finetune_{Path(work_dir).name}_{id(recognizer)}',
        cfg=cfg,
        **({key: cfg[key] for key in training} if train else {}),
    )


def recognition_metrics(metrics: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Convert mmaction2's metrics to the form of :func:`accuracy_metrics`."""
    confusion = metrics['confusion_matrix/result'].numpy()  # (K, K)
    names = ('top1', 'top5') if len(confusion) > 5 else ('top1',)  # of 5 classes top-5 is 1
    accuracy = {name: float(metrics[f'acc/{name}']) for name in names if f'acc/{name}' in metrics}
    accuracy['mean_class'] = mean_class_accuracy(confusion)
    return accuracy, {'confusion': confusion.tolist()}
