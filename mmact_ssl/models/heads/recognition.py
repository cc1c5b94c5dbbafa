"""mmaction2's classification heads beside the pretext tasks."""

from __future__ import annotations

import inspect

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms
from mmact_ssl.models.losses.common import gather, gather_with_gradient
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class RecognitionHead(PretextHead):
    """Classifier of any mmaction2 recognizer, trained together with the pretext tasks.

    It serves joint end-to-end training (DTG-Net's second use, arXiv 2006.07609). The student's
    backbone and this head's ``cls_head`` form a recognizer, tested by ``tools/evaluate.py joint``.

    Args:
        cls_head: Config of an mmaction2 head with its ``num_classes`` and loss, e.g.
            ``mmaction.I3DHead`` on a 3D student, ``mmaction.TSNHead`` on a 2D one.
        inputs: Names of ``feature_map`` ``(B, C, T, H, W)``, ``label`` int64 ``(B,)``, -1 = none.
    """

    inputs = dict(feature_map='clip.feature_map', label='targets.sample.label')

    def __init__(
        self, cls_head: dict, inputs: dict[str, str] | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(inputs, init_cfg=init_cfg)
        if not cls_head.get('num_classes', 1):
            raise ConfigError(
                'RecognitionHead: cls_head.num_classes is 0: it needs labels, prepare the data set '
                'with them (--labels TABLE)'
            )
        # Its parts, such as the loss, have no scope in their names and are mmaction2's.
        self.cls_head = MODELS.build({**cls_head, '_scope_': 'mmaction'})
        # mmaction2's heads for 2D students need the frames in the batch axis, and their number.
        self.of_frames = 'num_segs' in inspect.signature(self.cls_head.forward).parameters

    def terms(self, feature_map: Tensor, label: Tensor) -> Terms:
        """Compute the head's own losses and accuracy over the labeled clips; scores ``(B, K)``."""
        scores = self._scores(feature_map)
        labeled = label >= 0
        hit = (scores.argmax(1) == label).to(scores.dtype)
        # Outputs, not terms: the log contains the head's own accuracies, and the zero of a batch
        # without labels would enter their mean.
        chance = torch.full_like(hit, 1 / scores.shape[1])
        nan = float('nan')
        terms: Terms = dict(
            accuracy=hit.masked_fill(~labeled, nan),
            chance=chance.masked_fill(~labeled, nan),
            scores=scores,
        )
        if not self.needs_losses:
            return terms
        # Scores of all processes: a loss may weigh classes, and processes may have unequal numbers
        # of labeled clips. Single precision, because numpy reads the scores.
        everyone, labels = gather_with_gradient(scores.float())[0], gather(label)
        is_labeled = labels >= 0
        if not is_labeled.any():
            return dict(**terms, loss_cls=Term(scores.sum() * 0))
        samples = [ActionDataSample().set_gt_label(n) for n in labels[is_labeled].tolist()]
        for name, value in self.cls_head.loss_by_feat(everyone[is_labeled], samples).items():
            terms[name] = Term(torch.as_tensor(value, device=label.device))
        return terms

    def _scores(self, feature_map: Tensor) -> Tensor:
        """Class scores ``(B, K)`` of a map ``(B, C, T, H, W)``."""
        if not self.of_frames:
            return self.cls_head(feature_map)
        frames = feature_map.transpose(1, 2)
        return self.cls_head(frames.flatten(0, 1), num_segs=frames.shape[1])
