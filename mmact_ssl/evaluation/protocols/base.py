"""The one interface of all protocols: what is asked for, what is read, what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from mmengine.config import Config
from torch import nn

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.features import Features, extract_features
from mmact_ssl.evaluation.student import build_recognizer, with_saved_backbone
from mmact_ssl.saved_run import SavedRun


@dataclass(frozen=True)
class Request:
    """One encoder to evaluate, and the names that its results get.

    Attributes:
        cfg: Downstream config.
        checkpoint: The student; None for an encoder as the config makes it.
        joined: Other students of the same network, whose frozen features stand beside.
        seed: Of initialization, labeled part and order; of joint training with a part of the
            labels that of their draw.
        label_fraction: Share of the training labels; of joint training the share that it had.
        method, variant, pretrained_on, prefix: As in the result.
        teacher: Cache of a teacher's embeddings, evaluated in place of an encoder's features.
        device, cache_dir: Of frozen features; None for no cache.
        work_dir: Of fine-tuning.
        label_lists: Folder that keeps the drawn samples where ``label_fraction`` is below 1.
    """

    cfg: Config
    checkpoint: SavedRun | None = None
    joined: tuple[SavedRun, ...] = ()
    seed: int = 0
    label_fraction: float = 1.0
    method: str = 'Random init'
    variant: str = 'full'
    pretrained_on: str = ''
    prefix: str = 'backbone.'
    teacher: str | None = None
    device: str = 'cpu'
    work_dir: str = 'work_dirs/evaluate'
    cache_dir: str | None = 'work_dirs/feature_cache'
    label_lists: str | None = None

    @property
    def students(self) -> tuple[SavedRun, ...]:
        """All students; none for an encoder as the config makes it."""
        return () if self.checkpoint is None else (self.checkpoint, *self.joined)


@dataclass
class Task:
    """Input of a protocol: the request with its splits, and features extracted on demand.

    Attributes:
        labeled: Positions of the labeled training samples, with those that share their labels.
        classes: Names in the order of the labels.
        extracted: Features of the splits 'train' and 'test'; all protocols of a run share them.
    """

    request: Request
    train: Split
    test: Split
    labeled: np.ndarray
    classes: list[str]
    extracted: dict[str, Features] = field(default_factory=dict)
    _configs: dict[str, Config] = field(default_factory=dict, repr=False)

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
            request = self.request
            for student in request.students or (None,):
                found = extract_features(
                    self.config(student),
                    self.build_recognizer(student),
                    self.splits,
                    request.device,
                    request.cache_dir,
                )
                for name, features in found.items():
                    before = self.extracted.get(name)
                    self.extracted[name] = before.beside(features) if before else features
        return self.extracted[split]

    @property
    def student(self) -> SavedRun:
        """The student, of protocols that need one."""
        return cast(SavedRun, self.request.checkpoint)

    def config(self, student: SavedRun | None = None) -> Config:
        """Downstream config with the backbone of a student, by default that of the request."""
        request, student = self.request, student or self.request.checkpoint
        if student is None:
            return request.cfg
        if student.path not in self._configs:
            cfg = with_saved_backbone(request.cfg, student, request.prefix)
            self._configs[student.path] = cfg
        return self._configs[student.path]

    def build_recognizer(self, student: SavedRun | None = None) -> nn.Module:
        """Build the recognizer anew: no protocol starts where another left its weights."""
        request, student = self.request, student or self.request.checkpoint
        return build_recognizer(self.config(student), request.seed, student, request.prefix)


@dataclass
class Measured:
    """Result of a protocol.

    Attributes:
        metrics: Values in 0..1, apart from ``feature_std`` and ``effective_rank``.
        details: What is not a metric, such as the ``confusion`` matrix.
        caches: Version of each target cache that was read, by path.
    """

    metrics: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)
    caches: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """One row of the table of protocols.

    Attributes:
        evaluate: Measures a task. Its other arguments are the protocol's entry of the config.
        frozen: Reads frozen features and nothing else of the encoder.
        labels: Which training labels it reads: a drawn part of them, none, or those that its
            checkpoint was trained with.
        is_stochastic: Gives another number at another seed with all labels too.
        needs_checkpoint: What it reads of a checkpoint beside the student; '' where a random
            encoder will do.
        texts_option: Option of ``tools/evaluate.py`` that names its text cache; '' for none.
        trains: Trains the recognizer by the schedule of the config.
        version: Raised when the protocol gives another number on the same features.
    """

    evaluate: Callable[..., Measured]
    frozen: bool = False
    labels: Literal['drawn', 'none', 'of the checkpoint'] = 'drawn'
    is_stochastic: bool = False
    needs_checkpoint: str = ''
    texts_option: str = ''
    trains: bool = False
    version: int = 1
