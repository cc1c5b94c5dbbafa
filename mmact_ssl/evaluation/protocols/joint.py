"""Test of a student with the classifier of its joint training."""

from __future__ import annotations

import re
from typing import Any, cast

import torch

from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput
from mmact_ssl.evaluation.recognizer import make_runner, recognition_metrics
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.weights import load_strictly

LINEAR = re.compile(r'heads\.[^.]+\.classifier\.weight')
CLASSIFIER = re.compile(r'heads\.([^.]+)\.(?:cls_head\.(.+)|classifier\.(weight|bias))')


def evaluate(inputs: ProtocolInput) -> Measured:
    """Load the classifier of joint training and test the student with it, without training.

    The classifier of a RecognitionHead is tested in mmaction2's recognizer. That of a
    ClassificationHead is applied to pooled features without absent persons, as in training.
    """
    saved = cast(StudentFile, inputs.saved)
    recognizer = inputs.build_recognizer()
    head = recognizer.get_submodule('cls_head')
    load_strictly(head, classifier_weights(saved), saved.path, 'give the data of its training')
    if any(LINEAR.fullmatch(key) for key in saved.weights):
        test = inputs.features('test')
        with torch.no_grad():
            scores = head.get_submodule('fc').cpu()(torch.from_numpy(test.values)).numpy()
        return Measured(*accuracy_metrics(test.labels, scores, len(inputs.classes)))
    runner = make_runner(inputs.cfg, recognizer, inputs.work_dir)
    return Measured(*recognition_metrics(runner.test()))


def classifier_weights(saved: StudentFile) -> dict[str, Any]:
    """Read the weights of a joint training's classifier, by the names of mmaction2's head.

    A RecognitionHead contains mmaction2's head. A ClassificationHead's linear layer corresponds to
    ``fc`` of GCNHead, which also averages over absent persons.
    """
    classifiers: dict[str, dict[str, Any]] = {}
    for key, value in saved.weights.items():
        if match := CLASSIFIER.fullmatch(key):
            task, name, of_linear = match.groups()
            classifiers.setdefault(task, {})[name or f'fc.{of_linear}'] = value
    if len(classifiers) != 1:
        raise CheckpointError(
            f'{saved.path}: holds {len(classifiers)} classifiers ({sorted(classifiers)}), '
            'wanted one: train with one RecognitionHead (docs/methods/dtg.md) or linear '
            'ClassificationHead (docs/methods/ms2l.md)'
        )
    return next(iter(classifiers.values()))
