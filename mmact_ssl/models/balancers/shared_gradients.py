"""The tasks' gradients on the weights that all tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError


class SharedGradients:
    """The tasks' gradients on the shared backbone, computed once per step at their first use.

    Each task is differentiated separately, back to the feature maps and the shared weights, in the
    graph of the step's forward pass. ``.grad``, buffers and random numbers do not change. With the
    backbone's last weights this costs a backward pass through the heads and one layer.

    Args:
        losses: Task -> scalar without weight.
        maps: Feature map of each encoded view, ``(B, C', ...)``.
        backbone, prefix: See :func:`shared_weights`.
    """

    def __init__(
        self,
        losses: Mapping[str, Tensor],
        maps: Sequence[Tensor],
        backbone: nn.Module,
        prefix: str | None = None,
    ) -> None:
        self.losses = dict(losses)
        self.tasks = list(losses)  # the order of all rows and columns
        self.maps = list(maps)
        self.backbone = backbone
        self.prefix = prefix
        self._on_maps: list[list[Tensor]] = []
        self._rows: Tensor | None = None

    def gram(self, scale: float = 1.0) -> Tensor:
        """Inner products of the tasks' gradients on the shared weights, ``(K, K)``, K tasks."""
        rows = self.rows(scale)
        with torch.autocast(rows.device.type, enabled=False):
            return rows @ rows.T

    def rows(self, scale: float = 1.0) -> Tensor:
        """The tasks' gradients on the shared weights, ``(K, P)``, the mean over all processes.

        Args:
            scale: Loss scale of mixed precision, ``> 0``, against vanishing gradients in half
                precision; the result is divided by it. Only the first call's scale is used.
        """
        if self._rows is not None:
            return self._rows
        inputs = [*self.maps, *shared_weights(self.backbone, self.prefix)]
        gradients = self._differentiate(inputs, scale)
        count = len(self.maps)
        self._on_maps = [row[:count] for row in gradients]
        on_weights = [torch.cat([g.flatten() for g in row[count:]]) for row in gradients]
        self._rows = torch.stack(on_weights)
        # The mean, as in distributed training, so that all processes have the same numbers.
        all_reduce(self._rows, op='mean')
        return self._rows

    def norms_on_maps(self, scale: float = 1.0) -> Tensor:
        """Norms of the tasks' gradients on all feature maps of all processes, ``(K,)``.

        Unless the balancer has called :meth:`rows`, this costs a backward pass through the heads.
        ``scale`` is as in :meth:`rows`.
        """
        if not self._on_maps:
            self._on_maps = self._differentiate(self.maps, scale)
        squares = [torch.stack([g.square().sum() for g in row]).sum() for row in self._on_maps]
        total = torch.stack(squares)
        all_reduce(total, op='sum')
        return total.sqrt()

    def _differentiate(self, inputs: Sequence[Tensor], scale: float) -> list[list[Tensor]]:
        """Each task's gradient on each input, float32; 0 if the task does not read the input."""
        rows = []
        for loss in self.losses.values():
            gradients: Sequence[Tensor] = [torch.zeros_like(source) for source in inputs]
            if loss.requires_grad:
                gradients = torch.autograd.grad(
                    loss * scale, inputs, retain_graph=True, materialize_grads=True
                )
            rows.append([gradient.float() / scale for gradient in gradients])
        return rows

    def surrogate_loss(self, factors: Tensor) -> Tensor:
        """Scalar of value 0 that changes only the backbone's gradient if it is added to the loss.

        It adds ``sum_k factors_k * d loss_k / d z`` to the gradient of every feature map z, and so
        ``sum_k factors_k * d loss_k / d w`` to the gradient of every parameter w of the backbone.
        Gradients of adapters and heads do not change.
        """
        self.rows()
        total = factors.new_zeros(())
        for view, features in enumerate(self.maps):
            rows = torch.stack([gradients[view] for gradients in self._on_maps])  # (K, B, C', ...)
            gradient = torch.tensordot(factors.to(rows.dtype), rows, dims=1)
            total = total + (features.float() * gradient).sum()
        return total - total.detach()


def shared_weights(backbone: nn.Module, prefix: str | None = None) -> list[nn.Parameter]:
    """Select the parameters of a backbone on which tasks are compared.

    Args:
        prefix: Prefix of the parameters' names in the backbone, such as ``'layer4'``; ``''``: all.
            None: the last weight with two axes or more, which saves time.
    """
    trainable = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
    if prefix is None:
        chosen = [parameter for parameter in trainable.values() if parameter.ndim > 1][-1:]
    else:
        start = f'{prefix}.' if prefix else ''
        chosen = [p for name, p in trainable.items() if f'{name}.'.startswith(start)]
    if not chosen:
        raise ConfigError(
            f'model.shared_weights={prefix!r}: no trainable parameter of the backbone, use one of '
            f'{sorted({name.split(".")[0] for name in trainable})}'
        )
    return chosen
