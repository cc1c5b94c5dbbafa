"""The interface of all protocols: input, measured numbers and table entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from mmengine.config import Config
from torch import nn

from mmact_ssl.configs.encoder_config import EncoderConfig
from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.evaluation.data import Split, share_labels
from mmact_ssl.evaluation.features import Features, extract_features
from mmact_ssl.evaluation.recognizer import build_recognizer
from mmact_ssl.io.student_file import StudentFile


@dataclass
class ProtocolInput:
    """An encoder, a data set and a part of its labels.

    Attributes:
        cfg: Config of the evaluation, see :func:`read_evaluation`.
        encoder: Config of the encoder.
        saved: File with its weights; None for the initial ones of its config.
        train, test: The labeled splits.
        classes: Names in the order of the labels.
        seed: Seed of initialization, labeled part and order; for joint training on a part of the
            labels, the seed of its draw.
        label_fraction: Fraction of the training labels; for joint training its own fraction.
        device: Device of the extraction.
        work_dir: Work dir of fine-tuning.
        extracted: Frozen features of 'train' and 'test', filled by the first protocol that needs
            them; inputs of one encoder may share it.
    """

    cfg: Config
    encoder: EncoderConfig
    saved: StudentFile | None
    train: Split
    test: Split
    classes: list[str]
    seed: int = 0
    label_fraction: float = 1.0
    device: str = 'cpu'
    work_dir: str = 'work_dirs/evaluate'
    extracted: dict[str, Features] = field(default_factory=dict)

    @cached_property
    def labeled(self) -> np.ndarray:
        """Positions of the drawn training samples and those that share their labels."""
        drawn = label_subset(self.train.names, self.train.labels, self.label_fraction, self.seed)
        return share_labels(self.train, drawn, self.cfg.get('shared_label_pattern'))

    def features(self, split: str) -> Features:
        """Frozen features of 'test', or of the labeled samples of 'train'."""
        if not self.extracted:
            encoder = self.build_encoder().to(self.device)
            for name, samples in dict(train=self.train, test=self.test).items():
                self.extracted[name] = extract_features(self.cfg, encoder, name, samples)
        found = self.extracted[split]
        return found.part(self.labeled) if split == 'train' else found

    def build_encoder(self) -> Encoder:
        """Build the encoder; a random one is that from which fine-tuning starts at this seed."""
        start = None if self.saved else self.build_recognizer().get_submodule('backbone')
        return Encoder.build(self.encoder, self.saved, start)

    def build_recognizer(self) -> nn.Module:
        """Build a new recognizer, so that protocols do not share trained weights."""
        return build_recognizer(self.cfg, self.encoder, self.seed, self.saved)


@dataclass
class Measured:
    """Result of a protocol.

    Attributes:
        metrics: Values in 0..1, except ``feature_std`` and ``effective_rank``.
        details: Other results, such as the ``confusion`` matrix.
        right: Right answers by readout, bool ``(R, T)``: R draws of the labels, T test samples.
    """

    metrics: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)
    right: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """One row of the table of protocols.

    Attributes:
        evaluate: Measures its input. Its other arguments are the protocol's entry in the config.
        frozen: True if it reads only frozen features of the encoder.
        labels: Training labels that it reads: a drawn part, parts that it draws itself, none, or
            the checkpoint's own; then it does not evaluate random encoders.
        trains: True if it trains the recognizer by the schedule of the config, so that its numbers
            depend on the seed even with all labels.
        check_labels: Raises ConfigError if the labels of the labeled samples, int64 ``(L,)``, are
            too few; called before any protocol runs.
    """

    evaluate: Callable[..., Measured]
    frozen: bool = False
    labels: Literal['drawn', 'own draws', 'none', 'of the checkpoint'] = 'drawn'
    trains: bool = False
    check_labels: Callable[[np.ndarray], None] | None = None
