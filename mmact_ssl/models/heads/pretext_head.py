"""Base class of all pretext heads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.terms import ACCURACY, SMALLER_IS_BETTER, Term, Terms, stack_terms
from mmact_ssl.models.losses.common import global_mean
from mmact_ssl.models.losses.statistics import feature_std
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.registry import MODELS, SCOPE


def replace_inputs(own: Mapping[str, str], inputs: Mapping[str, str] | None) -> dict[str, str]:
    """Replace some of a head's own inputs, {argument: input}.

    Raises:
        ConfigError: The head has no such argument.
    """
    if unknown := sorted({*(inputs or {})} - {*own}):
        raise ConfigError(
            f'the head has no input {unknown[0]!r}, there are {", ".join(sorted(own))}: correct '
            'its inputs'
        )
    return {**own, **(inputs or {})}


class PretextHead(BaseModule):
    """Pretext task: :meth:`terms` computes losses, metrics and outputs from named inputs.

    A head names its inputs. The model passes exactly these as keyword arguments, so that a head
    cannot depend on another head. docs/extend/inputs.md explains the names:

    - ``'<view>'``: normalized frames ``(B, C, T, H, W)``, or skeletons ``(B, M, T, V, C)``;
    - ``'<view>.feature_map'``, ``'<view>.pooled'``, ``'<view>.<adapter>'``: the student's features;
    - ``'<view>.momentum_feature_map'`` and so on: the momentum encoder's features, no gradient;
    - ``'targets.<view>.<name>'``: from the pipeline or a teacher; ``targets.<view>.valid``, bool
      ``(B, T)`` or ``(B, M, T)``, is False for padding; ``targets.sample.<name>``: of the sample.

    A discriminator must be in an attribute whose name starts with ``discriminator``, since it has
    its own optimizer. ``progress`` (0..1) and ``iteration`` are those of the training.

    In all heads ``in_channels`` is the number C of channels of the first input, and ``loss`` the
    loss of what :meth:`terms` computes.

    Args:
        inputs: Argument -> input, replacing the class's own inputs.
        loss: Config of the loss, a registered module.
        names: Values for the class's inputs, e.g. ``view='clip'`` for ``'{view}.pooled'``.
    """

    inputs: dict[str, str] = {}
    progress: float = 0.0
    iteration: int = 0
    # Parts of the names of losses whose size does not measure a task's progress.
    adversarial_names: ClassVar[tuple[str, ...]] = ('generator', 'discriminator')
    # Parts of the names of metrics that do not depend on the student, such as trivial answers, see
    # mmact_ssl.evaluation.pretext_metric.trivial_answer.
    reference_names: ClassVar[tuple[str, ...]] = ('chance', 'repeat_last', 'constant', 'confidence')

    def __init__(
        self,
        inputs: dict[str, str] | None = None,
        loss: dict | None = None,
        init_cfg: dict | None = None,
        **names: str,
    ) -> None:
        super().__init__(init_cfg)
        own = {argument: name.format(**names) for argument, name in type(self).inputs.items()}
        self.inputs = {**own, **(inputs or {})}
        if loss is not None:
            self.loss_module = build_loss(loss)

    @property
    def needs_losses(self) -> bool:
        """True while gradients are enabled; :meth:`predict` computes no losses."""
        return torch.is_grad_enabled()

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        """The head's own momentum copies, each with its source network."""
        return []

    @abstractmethod
    def terms(self, *args: Any, **inputs: Any) -> Terms:
        """Compute the task's equation.

        Returns:
            {name: value}. A :class:`Term` is a loss to minimize if its name contains ``loss``, else
            a metric. A tensor is an output for :meth:`predict`, batch axis first; with one number a
            sample, ``(B,)``, it is a metric of tests alone. Balancers do not read losses whose
            names contain ``generator`` or ``discriminator``.
        """

    def loss(self, **inputs: Any) -> dict[str, Tensor]:
        """Compute the means of losses over all processes, and of metrics over this process.

        The losses share a graph: differentiate their sum.
        """
        terms = self._checked_terms(inputs)
        losses, metrics, means = dict[str, Term](), dict[str, Term](), dict[str, Tensor]()
        for name, term in terms.items():
            if not isinstance(term, Term):
                if 'loss' in name:
                    raise ConfigError(f'{type(self).__name__}: {name!r} is not a Term(value)')
            elif term.value.ndim == 0:
                means[name] = term.value
            else:
                (losses if 'loss' in name else metrics)[name] = term
        if losses:
            means.update(zip(losses, global_mean(*stack_terms(losses))))
        if metrics:
            values, weight = stack_terms(metrics)
            # If nothing counts in a batch, 0 / 0 is NaN, which ShortLogProcessor leaves out.
            means.update(zip(metrics, (values.detach() * weight).sum(1) / weight.sum(1)))
        outputs = {name: means[name] for name in terms if name in means}
        projection = terms.get('projection')
        if isinstance(projection, Tensor):  # it may collapse while the features do not
            outputs['projection/feature_std'] = feature_std(projection.flatten(1))
        return outputs

    def _checked_terms(self, inputs: Mapping[str, Tensor]) -> Terms:
        """The task's terms; ConfigError if a metric is one number for a batch: no test shows it."""
        terms = self.terms(**inputs)
        for name, term in terms.items():
            value = term.value if isinstance(term, Term) else term
            is_metric = any(part in name for part in (ACCURACY, *SMALLER_IS_BETTER))
            if is_metric and 'loss' not in name and not value.ndim and not self._is_reference(name):
                raise ConfigError(
                    f'{type(self).__name__}: {name} is one number for a batch, which cannot be '
                    'tested: return Term(value) with one number a sample, without mean()'
                )
        return terms

    def _is_reference(self, name: str) -> bool:
        return any(part in name for part in self.reference_names)

    @torch.no_grad()
    def predict(self, **inputs: Any) -> dict[str, Tensor]:
        """Compute metrics ``(B,)``, NaN for samples that do not count, and outputs ``(B, ...)``."""
        outputs = {}
        for name, term in self._checked_terms(inputs).items():
            value, weight = term if isinstance(term, Term) else (term, None)
            if not value.ndim and self._is_reference(name):
                value = value.expand(len(next(iter(inputs.values()))))
            if value.ndim and not (isinstance(term, Term) and 'loss' in name):
                outputs[name] = value if weight is None else value.where(weight > 0, torch.nan)
        return outputs


def build_loss(config: dict) -> nn.Module:
    """Build a loss in this package's scope, unless its type has another scope."""
    return MODELS.build({'_scope_': SCOPE, **config})
