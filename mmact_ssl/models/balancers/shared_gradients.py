"""The tasks' gradients on the weights that all tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError


class SharedGradients:
    """The tasks' gradients on the shared backbone, computed at first use, and once a step.

    Each task is differentiated by itself, back to the feature maps and the shared weights, over the
    graph of the step's one forward pass: ``.grad``, buffers and random numbers are not touched.
    With the last weights of the backbone that costs a backward pass through heads and one layer.

    Args:
        losses: Task -> scalar, not yet weighted.
        maps: The feature map of each encoded view, ``(B, C', ...)``.
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
            scale: Loss scale of mixed precision, ``> 0``, without which small gradients vanish in
                half precision; it is divided out again. That of the first call counts.
        """
        if self._rows is not None:
            return self._rows
        inputs = [*self.maps, *shared_weights(self.backbone, self.prefix)]
        gradients = self._differentiate(inputs, scale)
        count = len(self.maps)
        self._on_maps = [row[:count] for row in gradients]
        on_weights = [torch.cat([g.flatten() for g in row[count:]]) for row in gradients]
        self._rows = torch.stack(on_weights)
        # As distributed training averages gradients, so that all processes get the same numbers.
        all_reduce(self._rows, op='mean')
        return self._rows

    def norms_on_maps(self, scale: float = 1.0) -> Tensor:
        """Norms of the tasks' gradients on all feature maps of all processes together, ``(K,)``.

        Unless the balancer has taken :meth:`rows` already, this costs a backward pass through the
        heads alone. ``scale`` is as in :meth:`rows`.
        """
        if not self._on_maps:
            self._on_maps = self._differentiate(self.maps, scale)
        squares = [torch.stack([g.square().sum() for g in row]).sum() for row in self._on_maps]
        total = torch.stack(squares)
        all_reduce(total, op='sum')
        return total.sqrt()

    def _differentiate(self, inputs: Sequence[Tensor], scale: float) -> list[list[Tensor]]:
        """Each task's gradient on each input, in float32; 0 where the task does not read it."""
        rows = []
        for loss in self.losses.values():
            gradients: Sequence[Tensor | None] = [None] * len(inputs)
            if loss.requires_grad:
                gradients = torch.autograd.grad(
                    loss * scale, inputs, retain_graph=True, allow_unused=True
                )
            rows.append(
                [
                    torch.zeros_like(source, dtype=torch.float32)
                    if g is None
                    else g.float() / scale
                    for source, g in zip(inputs, gradients)
                ]
            )
        return rows

    def surrogate_loss(self, factors: Tensor) -> Tensor:
        """A scalar of value 0 that, added to the loss, changes the backbone's gradient alone.

        It adds ``sum_k factors_k * d loss_k / d z`` to the gradient of every feature map z, and
        thereby ``sum_k factors_k * d loss_k / d w`` to that of every parameter w of the backbone;
        adapters and heads, which lie behind the maps, get nothing of it.
        """
        self.rows()
        total = factors.new_zeros(())
        for view, features in enumerate(self.maps):
            rows = torch.stack([gradients[view] for gradients in self._on_maps])  # (K, B, C', ...)
            wanted = torch.tensordot(factors.to(rows.dtype), rows, dims=1)
            total = total + (features.float() * wanted).sum()
        return total - total.detach()


def shared_weights(backbone: nn.Module, prefix: str | None = None) -> list[nn.Parameter]:
    """The parameters of a backbone on which tasks are compared.

    Args:
        prefix: Of the parameters' names in the backbone, such as ``'layer4'``; ``''``: all. None:
            the last weight with two axes or more, as GradNorm (arXiv 1711.02257, section 3.1)
            takes the last shared layer to save time.
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
