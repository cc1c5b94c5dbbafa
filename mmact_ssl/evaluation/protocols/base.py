"""The interface of all protocols: request, task, measurement and table entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from mmengine.config import Config
from torch import nn

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.features import Features, extract_features
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.saved_run import SavedRun


@dataclass(frozen=True)
class Request:
    """One encoder to evaluate, and the names of its results.

    Attributes:
        cfg: Downstream config with the student's network, see :func:`with_saved_backbone`.
        student: Weights of the network; None for the config's own encoder.
        seed: Seed of initialization, labeled part and order; for joint training on a part of the
            labels, the seed of its draw.
        label_fraction: Fraction of the training labels; for joint training its own fraction.
        method, variant: As in the result.
        device: Device of the extraction.
        work_dir: Work dir of fine-tuning.
    """

    cfg: Config
    student: SavedRun | None = None
    seed: int = 0
    label_fraction: float = 1.0
    method: str = 'Random init'
    variant: str = 'full'
    device: str = 'cpu'
    work_dir: str = 'work_dirs/evaluate'


@dataclass
class Task:
    """Input of a protocol: the request with its splits, and features extracted on demand.

    Attributes:
        labeled: Positions of the labeled training samples and those that share their labels.
        classes: Names in the order of the labels.
        extracted: Features of the splits 'train' and 'test', shared by all protocols of a run.
    """

    request: Request
    train: Split
    test: Split
    labeled: np.ndarray
    classes: list[str]
    extracted: dict[str, Features] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def splits(self) -> dict[str, Split]:
        """Both splits by name."""
        return {'train': self.train, 'test': self.test}

    @property
    def train_features(self) -> Features:
        """Frozen features of the labeled training samples."""
        return self._features('train').part(self.labeled)

    @property
    def test_features(self) -> Features:
        """Frozen features of the test split."""
        return self._features('test')

    def _features(self, split: str) -> Features:
        if not self.extracted:
            request, recognizer = self.request, self.build_recognizer()
            extracted = extract_features(request.cfg, recognizer, self.splits, request.device)
            self.extracted.update(extracted)
        return self.extracted[split]

    @property
    def student(self) -> SavedRun:
        """The student, for protocols that need one."""
        return cast(SavedRun, self.request.student)

    def build_recognizer(self) -> nn.Module:
        """Build a new recognizer, so that protocols do not share trained weights."""
        return build_recognizer(self.request.cfg, self.request.seed, self.request.student)


@dataclass
class Measured:
    """Result of a protocol.

    Attributes:
        metrics: Values in 0..1, except ``feature_std`` and ``effective_rank``.
        details: Other results, such as the ``confusion`` matrix.
    """

    metrics: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """One row of the table of protocols.

    Attributes:
        evaluate: Measures a task. Its other arguments are the protocol's entry in the config.
        frozen: True if it reads only frozen features of the encoder.
        labels: Training labels that it reads: a drawn part, parts that it draws itself, none, or
            the checkpoint's own.
        is_stochastic: True if its numbers depend on the seed even with all labels.
        needs_checkpoint: Part of a checkpoint that it needs beside the student; '' for none, then
            it also evaluates random encoders.
        trains: True if it trains the recognizer by the schedule of the config.
        check_labels: Raises ConfigError if the labels of the labeled samples, int64 ``(L,)``, are
            too few; called before any protocol runs.
    """

    evaluate: Callable[..., Measured]
    frozen: bool = False
    labels: Literal['drawn', 'own draws', 'none', 'of the checkpoint'] = 'drawn'
    is_stochastic: bool = False
    needs_checkpoint: str = ''
    trains: bool = False
    check_labels: Callable[[np.ndarray], None] | None = None
