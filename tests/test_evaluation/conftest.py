"""Short ways to run protocols on made features and on the small labeled world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from mmengine.config import Config

from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder, read_record
from mmact_ssl.evaluation.data import Split, read_splits
from mmact_ssl.evaluation.evaluate import check_inputs, evaluate
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.evaluation.results import Result
from mmact_ssl.io.student_file import StudentFile


@pytest.fixture
def make_inputs() -> Callable[..., ProtocolInput]:
    """Makes the input of a protocol of features that are there already."""

    def make(
        train: Features,
        test: Features,
        num_classes: int,
        names: Sequence[str] | None = None,
        saved: StudentFile | None = None,
        **options: Any,
    ) -> ProtocolInput:
        splits = [
            Split('', '', list(names or map(str, range(len(part.labels)))), part.labels)
            for part in (train, test)
        ]
        classes = [str(label) for label in range(num_classes)]
        options['extracted'] = dict(train=train, test=test)
        return ProtocolInput(Config(), read_encoder('gru'), saved, *splits, classes, **options)

    return make


@pytest.fixture
def run(video_encoder: EncoderConfig) -> Callable[..., list[Result]]:
    """Runs protocols on a config and an encoder: that of a checkpoint, or a random one."""

    def check_and_evaluate(
        cfg: Config,
        protocols: Sequence[str],
        checkpoint: Any = None,
        encoder: EncoderConfig = video_encoder,
        **options: Any,
    ) -> list[Result]:
        saved = None if checkpoint is None else StudentFile.read(checkpoint)
        if saved is not None:
            encoder = read_record(saved.record.get('encoder'), saved.path)
        inputs = ProtocolInput(cfg, encoder, saved, *read_splits(cfg), **options)
        check_inputs(inputs, protocols)
        return list(evaluate(inputs, protocols, method='made'))

    return check_and_evaluate


@pytest.fixture
def recognizers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The recognizers that protocols build, in order."""
    built: list[Any] = []
    build = ProtocolInput.build_recognizer
    monkeypatch.setattr(
        ProtocolInput, 'build_recognizer', lambda self: built.append(build(self)) or built[-1]
    )
    return built
