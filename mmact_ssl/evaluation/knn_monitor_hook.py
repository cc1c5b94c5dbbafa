"""kNN accuracy of the student during pre-training, without any effect on the training."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.datasets.prepared_folder import hold_out, telling_data
from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import read_samples, sample_groups
from mmact_ssl.evaluation.features import (
    Features,
    build_pooling,
    feature_dataloader,
    forward_features,
)
from mmact_ssl.evaluation.neighbors import knn_scores
from mmact_ssl.evaluation.student import merge_own
from mmact_ssl.evaluation.student_inputs import with_saved_inputs
from mmact_ssl.part_checks import without_outside
from mmact_ssl.registry import HOOKS
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.shipped_configs import SETS, find_config
from mmact_ssl.weights import load_strictly


@HOOKS.register_module()
class KNNMonitorHook(Hook):
    """Classify labeled clips by the neighbors of their student features, every few epochs.

    Writes ``knn/top1``, ``knn/feature_std`` and ``knn/effective_rank`` (see
    :mod:`mmact_ssl.models.losses.statistics`) to the log, the message hub and the visualizer.
    Labels never reach the student: it runs without gradients in evaluation mode. The hook restores
    modes and random states, so training is the same to the bit with and without it.

    The main process reads all clips. The others wait for it, at most for the process group's
    timeout (``env_cfg.dist_cfg.timeout``, seconds).

    Args:
        config: Path of the student's downstream config: its training split is read with its test
            pipeline, data preprocessor and ``feature_pooling``, with the inputs of the training as
            an evaluation takes them over (student_inputs.py). The student pools as in the
            evaluation, also where it pools in another way in training; a config of another network
            takes it as it is. A config without a data set reads that of the run: its prepared
            folder (``--data``) or its set.
        interval: Epochs between two runs; the hook also runs after the last epoch.
        k, temperature: Number of neighbors, and the temperature of their votes.
        holdout_fraction: Fraction of the labeled clips to classify by the rest, about the same in
            every class. Groups of the linear probe (``linear.group_pattern`` or ``group_file`` of
            the config) stay on one side, unless a class would then have no clip to vote.
    """

    def __init__(
        self,
        config: str,
        interval: int = 1,
        k: int = 10,
        temperature: float = 0.07,
        holdout_fraction: float = 0.2,
    ) -> None:
        if not 0 < holdout_fraction < 1:
            raise ConfigError(f'KNNMonitorHook: holdout_fraction={holdout_fraction}: give 0 to 1')
        self.config = config
        self.interval = interval
        self.k = k
        self.temperature = temperature
        self.holdout_fraction = holdout_fraction
        self.dataloader: Any = None
        self.data_preprocessor: Any = None

    def before_run(self, runner: Runner) -> None:
        folder, name = runner.cfg.get('own_folder', {}).get('root'), runner.cfg.get('dataset_name')
        is_shipped = folder is None and (SETS / f'{name}.py').is_file()
        with telling_data(folder, name if is_shipped else None):
            cfg = Config.fromfile(find_config(self.config))
        run = SavedRun('KNNMonitorHook', {'meta': {'cfg': runner.cfg.pretty_text}})
        self.cfg = with_saved_inputs(cfg, run)
        self.pooling = build_pooling(self.cfg)
        self.backbone = evaluated_backbone(self.cfg, runner.cfg)

    def after_train_epoch(self, runner: Runner) -> None:
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            if is_main_process():
                self._log(runner)
            barrier()

    def _log(self, runner: Runner) -> None:
        model = unwrap_model(runner.model)
        with untouched_training(model):
            scalars = self.measure(model)
        epoch = runner.epoch + 1
        for name, value in scalars.items():
            runner.message_hub.update_scalar(name, value)
        runner.visualizer.add_scalars(scalars, step=epoch)
        shown = '  '.join(f'{name}: {value:.4f}' for name, value in scalars.items())
        runner.logger.info(f'Epoch(knn) [{epoch}]  {shown}')

    def measure(self, model: nn.Module) -> dict[str, float]:
        """Compute the scalars; changes the model's modes and random states."""
        import mmaction.datasets  # noqa: F401  (fills the registry)
        from mmaction.registry import MODELS

        if self.data_preprocessor is None:  # a run that never gets here pays nothing
            self.dataloader = build_dataloader(feature_dataloader(self.cfg, 'train'))
            self.data_preprocessor = MODELS.build(self.cfg.model.data_preprocessor)
        backbone = model.get_submodule('backbone')
        device = next(backbone.parameters()).device
        if self.backbone is not None:
            weights = backbone.state_dict()
            backbone = MODELS.build(copy.deepcopy(self.backbone)).to(device)
            load_strictly(backbone, weights, 'the student', f'{self.config} has another network')
        backbone.eval()  # not chained: mmaction2's backbones return None
        self.data_preprocessor.to(device)
        if self.pooling is not None:
            self.pooling.to(device)
        with torch.no_grad():
            features = forward_features(
                backbone,
                self.data_preprocessor,
                self.dataloader,
                self.pooling,
                self.cfg.get('feature_deviation', False),
            )
        gallery, queries = self._hold_out(features)
        num_classes = int(features.labels.max()) + 1
        scores = knn_scores(gallery, queries.values, num_classes, self.k, self.temperature)
        return {
            'knn/top1': float((scores.argmax(axis=1) == queries.labels).mean()),
            **{f'knn/{name}': value for name, value in queries.spread().items()},
        }

    def _hold_out(self, features: Features) -> tuple[Features, Features]:
        """Split features into gallery and queries, the same way every time."""
        ann_file = self.cfg.train_dataloader.dataset.ann_file
        names, labels = read_samples(ann_file, self.cfg.get('prepare_command', 'prepare it'))
        if labels != features.labels.tolist():
            raise ConfigError(f'KNNMonitorHook: the data set gives other samples than {ann_file}')
        settings = self.cfg.get('linear', {})
        options = {key: settings.get(key) for key in ('group_pattern', 'group_file')}
        groups = sample_groups(names, **options)
        known = np.flatnonzero(features.labels >= 0)
        if len(known) == len(np.unique(features.labels[known])):
            raise ConfigError(f'KNNMonitorHook: no class of {ann_file} has two labeled clips')
        held, _ = hold_out(
            features.labels[known],
            self.holdout_fraction,
            groups=None if groups is None else groups[known],
        )
        return features.part(known[~held]), features.part(known[held])


def evaluated_backbone(cfg: Config, training: Config) -> dict[str, Any] | None:
    """Return the backbone of a training as an evaluation builds it, with its pooling.

    None if that changes nothing, or if the downstream config ``cfg`` has a network of another class
    or none.
    """
    own, trained = (
        without_outside((config.get('model') or {}).get('backbone') or {}, 'backbone')
        for config in (cfg, training)
    )
    merged = merge_own(trained, own)
    return merged if own.get('type') == trained.get('type') and merged != trained else None


@contextmanager
def untouched_training(model: nn.Module) -> Iterator[None]:
    """Restore the mode of every module and all random states at the end."""
    # One by one: frozen parts are in evaluation mode while the rest trains.
    modes = [(module, module.training) for module in model.modules()]
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        # Also the generators of the GPUs.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        for module, training in modes:
            module.training = training
