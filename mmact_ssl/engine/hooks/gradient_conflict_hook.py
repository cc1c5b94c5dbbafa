"""Watch how the tasks' gradients agree on the shared backbone, without touching the training."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Optional, Union

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import HOOKS

FILE_NAME = 'gradient_conflict.jsonl'


@HOOKS.register_module()
class GradientConflictHook(Hook):
    """Log cosines and norms of the tasks' gradients, every so many iterations.

    Each task's gradient on ``model.shared_weights`` (the last weights of the backbone by default)
    is taken over the forward pass of the training step, see :class:`SharedGradients`, over the
    samples of all processes, before any projection. Scalars ``conflict/<a>~<b>``, the cosine of two
    tasks, and ``conflict/norm/<task>``, the norm after the task's weight, go to the message hub and
    the visualizer; all go as a line of JSON to ``gradient_conflict.jsonl`` in the work dir, which
    ``tools/visualize.py conflict`` draws. Measurements that lie there of another training, or of
    steps that a resumed one takes again, are removed at the start. Two tasks of which one has no
    gradient have no cosine.

    Args:
        interval: Iterations from one measurement to the next, ``> 0``; the first iteration of the
            training is measured too. One costs a backward pass through the heads and from the
            feature map to the shared weights.

    Raises:
        ConfigError: The model is not a MultiTaskPretrainer.

    Source: the cosine as Yu et al., NeurIPS 2020 (arXiv 2001.06782), definition 1; our choice else.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._scale = 1.0
        self._measured: Optional[tuple[list[str], Tensor]] = None

    def before_train(self, runner: Runner) -> None:
        """Refuse other models before the first batch is read, and begin the file or take it up."""
        _pretrainer(runner)
        if is_main_process():
            keep_measurements(Path(runner.work_dir) / FILE_NAME, runner.iter)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Ask the model for its gradients in the step to come, if one is due."""
        if runner.iter % self.interval == 0:
            self._scale = _loss_scale(runner.optim_wrapper)
            _pretrainer(runner).loss_observer = self.measure

    def measure(
        self, gradients: SharedGradients, weights: Mapping[str, Union[float, Tensor]]
    ) -> None:
        """Take the weighted gradients' inner products, in the middle of a step."""
        gram = gradients.gram(self._scale).double()
        factors = torch.stack(
            [torch.as_tensor(weights[task]).to(gram) for task in gradients.tasks]
        ).detach()
        self._measured = gradients.tasks, factors[:, None] * gram * factors

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write down what was measured."""
        _pretrainer(runner).loss_observer = None
        if self._measured is None:
            return
        tasks, gram = self._measured
        self._measured = None
        norms, cosines = norms_and_cosines(tasks, gram)
        named = {f'norm/{task}': norm for task, norm in norms.items()} | cosines
        scalars = {f'conflict/{name}': v for name, v in named.items() if v is not None}
        for name, value in scalars.items():
            runner.message_hub.update_scalar(name, value)
        if not is_main_process():
            return
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        record = dict(epoch=runner.epoch + 1, step=runner.iter + 1, norms=norms, cosines=cosines)
        with open(Path(runner.work_dir) / FILE_NAME, 'a', encoding='utf-8') as stream:
            stream.write(json.dumps(record) + '\n')


def keep_measurements(file: Path, steps: int) -> None:
    """Remove from a file of measurements what does not belong to the training that goes on.

    Args:
        file: Of lines of JSON with a ``step`` from 1 on; there may be none.
        steps: Iterations that the training has behind it; 0 removes the file. Later steps go, as
            do lines that a killed process has not finished.
    """
    if not file.is_file():
        return
    lines = file.read_text(encoding='utf-8').splitlines()
    kept = [line for line in lines if 0 < _step(line) <= steps]
    if not kept:
        file.unlink()
    elif kept != lines:
        # Written beside and moved, so that a kill loses nothing.
        beside = file.with_name(f'.{os.getpid()}.{file.name}')
        beside.write_text(''.join(f'{line}\n' for line in kept), encoding='utf-8')
        beside.replace(file)


def _step(line: str) -> int:
    """Step of a measurement; 0 for what is none."""
    try:
        return int(json.loads(line)['step'])
    except (ValueError, TypeError, KeyError):
        return 0


def norms_and_cosines(
    tasks: list[str], gram: Tensor
) -> tuple[dict[str, Optional[float]], dict[str, Optional[float]]]:
    """Norms by task and cosines by ``'<a>~<b>'``; None is one that is not defined.

    A norm that half precision has made infinite is not, nor a cosine with it or with a norm of 0.

    Args:
        tasks: Names.
        gram: Inner products, ``[K, K]``.
    """
    rows = gram.tolist()
    squares = [rows[k][k] for k in range(len(tasks))]
    known = [math.isfinite(square) for square in squares]
    norms = {t: s**0.5 if k else None for t, s, k in zip(tasks, squares, known)}
    cosines: dict[str, Optional[float]] = {}
    for (i, a), (j, b) in combinations(enumerate(tasks), 2):
        size = (squares[i] * squares[j]) ** 0.5 if known[i] and known[j] else 0.0
        cosines[f'{a}~{b}'] = rows[i][j] / size if size > 0 else None
    return norms, cosines


def _pretrainer(runner: Runner) -> MultiTaskPretrainer:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(model, MultiTaskPretrainer):
        raise ConfigError(
            f'GradientConflictHook watches a MultiTaskPretrainer, and the model is a '
            f'{type(model).__name__}: take the hook out of custom_hooks'
        )
    return model


def _loss_scale(wrapper: Union[OptimWrapper, OptimWrapperDict]) -> float:
    """The present loss scale of mixed precision, 1 without."""
    if isinstance(wrapper, OptimWrapperDict):
        wrapper = next(iter(wrapper.values()))
    scaler = getattr(wrapper, 'loss_scaler', None)
    return 1.0 if scaler is None else float(scaler.get_scale())
