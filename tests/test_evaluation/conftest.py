"""Short ways to run protocols on made features and on the small labeled world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.evaluate import check_request, evaluate
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols.base import Request, Task
from mmact_ssl.evaluation.results import Result
from mmact_ssl.evaluation.student import with_saved_backbone
from mmact_ssl.saved_run import SavedRun


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """Makes a task of features that are there already."""

    def make(
        train: Features,
        test: Features,
        num_classes: int | Sequence[str],
        names: Sequence[str] | None = None,
        **request: Any,
    ) -> Task:
        classes = (
            [str(k) for k in range(num_classes)] if isinstance(num_classes, int) else num_classes
        )
        splits = [
            Split('', '', list(names or map(str, range(len(part.labels)))), part.labels)
            for part in (train, test)
        ]
        labeled = np.arange(len(train.labels))
        features = dict(train=train, test=test)
        return Task(Request(Config(), **request), *splits, labeled, list(classes), features)

    return make


@pytest.fixture
def run() -> Callable[..., list[Result]]:
    """Runs protocols on a config and a checkpoint."""

    def evaluate_request(
        cfg: Config, protocols: Sequence[str], checkpoint: Any = None, **options: Any
    ) -> list[Result]:
        student = None if checkpoint is None else SavedRun.read(checkpoint)
        cfg = cfg if student is None else with_saved_backbone(cfg, student)
        request = Request(cfg, student, **options)
        check_request(request, protocols)
        return list(evaluate(request, protocols))

    return evaluate_request


@pytest.fixture
def recognizers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The recognizers that protocols build, in order."""
    built: list[Any] = []
    build = Task.build_recognizer
    monkeypatch.setattr(
        Task, 'build_recognizer', lambda self: built.append(build(self)) or built[-1]
    )
    return built
