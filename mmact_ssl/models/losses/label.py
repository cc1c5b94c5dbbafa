"""Cross-entropy over the labeled samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class LabelLoss(nn.Module):
    """Cross-entropy of the labeled samples; a label of -1 means none."""

    def forward(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        """``loss``, ``hit`` and ``weight`` (0 without a label), ``(N,)``, for logits ``(N, K)``."""
        precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
        # On a CPU torch raises IndexError for unknown classes; on a GPU an assertion ends the run.
        try:
            loss = F.cross_entropy(precise, label, ignore_index=-1, reduction='none')
        except IndexError as error:
            raise ConfigError(
                f'the classifier has {logits.shape[1]} classes, but the data set gives others '
                f'({error}): set num_classes, segments or strides of the head to what the data has'
            ) from error
        hit = (logits.detach().argmax(1) == label).to(loss.dtype)
        return dict(loss=loss, hit=hit, weight=(label != -1).to(loss.dtype))
