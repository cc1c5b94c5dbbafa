"""Pre-trainers and slow twins for tests of heads."""

from __future__ import annotations

from torch import Tensor, nn

from mmact_ssl.models.pretrainer import MultiTaskPretrainer


def one_view_pretrainer(**heads: type) -> MultiTaskPretrainer:
    """Heads on the view ``clip``, which the student leaves as it is, with the target ``aim``."""
    return MultiTaskPretrainer(
        backbone=dict(type=nn.Identity),
        heads={task: dict(type=head) for task, head in heads.items()},
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[0.0] * 3,
            std=[1.0] * 3,
            views=('clip',),
            targets=('clip.aim',),
        ),
    ).eval()


def slow_projection(head: nn.Module, pooled: Tensor) -> Tensor:
    """In double precision, with the statistics of this view alone."""
    first, norm, _, last = head.projectors[0]
    hidden = pooled.double() @ first.weight.detach().T.double() + first.bias.detach()
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + norm.eps).sqrt()
    return hidden.clamp(min=0) @ last.weight.detach().T.double() + last.bias.detach()
