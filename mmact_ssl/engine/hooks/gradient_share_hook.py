"""Logging of each task's share of the student's gradient."""

from __future__ import annotations

from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.registry import HOOKS

from .step_observer import StepObserver


@HOOKS.register_module()
class GradientShareHook(StepObserver):
    """Log each task's share of the gradient that reaches the student.

    ``share/<task> = w_k |g_k| / sum_j w_j |g_j|`` with ``g_k`` the gradient of task k's loss on the
    feature maps of all encoded views and ``w_k`` its weight, before any projection: 0..1, near 0
    for a task that does not teach the student, whatever its loss. The discriminators' own losses do
    not count: their gradient does not reach the maps. Training is unchanged to the bit. Our choice.

    Args:
        interval: Iterations between measurements, beginning at the first iteration. A measurement
            costs a backward pass through the heads.
    """

    def __init__(self, interval: int = 20) -> None:
        super().__init__(interval)

    def measure(self, gradients: SharedGradients, factors: Tensor) -> dict[str, Tensor]:
        norms = gradients.norms_on_maps(self.scale)
        norms = norms * factors.to(norms)
        # If one norm overflows in half precision, all shares are unknown.
        total = norms.sum() if norms.isfinite().all() else norms.new_tensor(float('nan'))
        return dict(zip(gradients.tasks, norms / total))

    def log(self, runner: Runner, measured: dict[str, Tensor]) -> None:
        for task, share in measured.items():
            runner.message_hub.update_scalar(f'train/share/{task}', float(share))
