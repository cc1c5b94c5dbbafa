"""Watch how the tasks' gradients agree on the shared backbone, without touching the training."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.files import write_atomically
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.registry import HOOKS

from .step_observer import StepObserver

FILE_NAME = 'gradient_conflict.jsonl'


@HOOKS.register_module()
class GradientConflictHook(StepObserver):
    """Log cosines and norms of the tasks' gradients, every so many iterations.

    Each task's gradient on ``model.shared_weights`` (the last weights of the backbone by default)
    is taken in the training step, see :class:`SharedGradients`, before any projection. Scalars
    ``conflict/<a>~<b>``, the cosine of two tasks (Yu et al., NeurIPS 2020, arXiv 2001.06782,
    definition 1), and ``conflict/norm/<task>``, the norm after the task's weight, go to the message
    hub and the visualizer, and as a line of JSON to ``gradient_conflict.jsonl`` in the work dir,
    which ``tools/visualize.py conflict`` draws. Measurements there of another training, or of steps
    that a resumed one takes again, are removed at the start.

    Args:
        interval: Iterations from one measurement, at the first one, to the next. One costs a
            backward pass through the heads and from the feature map to the shared weights.
    """

    def __init__(self, interval: int = 50) -> None:
        super().__init__(interval)

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        if is_main_process():
            keep_measurements(Path(runner.work_dir) / FILE_NAME, runner.iter)

    def measure(self, gradients: SharedGradients, factors: Tensor) -> tuple[list[str], Tensor]:
        gram = gradients.gram(self.scale).double()
        factors = factors.to(gram)
        return gradients.tasks, factors[:, None] * gram * factors

    def log(self, runner: Runner, measured: tuple[list[str], Tensor]) -> None:
        norms, cosines = norms_and_cosines(*measured)
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
    """Keep the first steps of a file, without lines that a killed process has not finished."""
    if not file.is_file():
        return
    lines = file.read_text(encoding='utf-8').splitlines()
    kept = [line for line in lines if 0 < _step(line) <= steps]
    if kept:
        write_atomically(file, ''.join(f'{line}\n' for line in kept))
    else:
        file.unlink()


def _step(line: str) -> int:
    """Step of a line of measurements; 0 if the line cannot be read."""
    try:
        return int(json.loads(line)['step'])
    except (ValueError, TypeError, KeyError):
        return 0


def norms_and_cosines(
    tasks: list[str], gram: Tensor
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Norms by task and cosines by ``'<a>~<b>'`` of inner products ``(K, K)``.

    None is a norm that half precision has made infinite, and a cosine with it or a norm of 0.
    """
    rows = gram.tolist()
    squares = [rows[k][k] for k in range(len(tasks))]
    known = [math.isfinite(square) for square in squares]
    norms = {t: s**0.5 if k else None for t, s, k in zip(tasks, squares, known)}
    cosines: dict[str, float | None] = {}
    for (i, a), (j, b) in combinations(enumerate(tasks), 2):
        size = (squares[i] * squares[j]) ** 0.5 if known[i] and known[j] else 0.0
        cosines[f'{a}~{b}'] = rows[i][j] / size if size > 0 else None
    return norms, cosines
