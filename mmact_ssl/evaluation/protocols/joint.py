"""Test of a student with the classifier of its joint training."""

from __future__ import annotations

import re
from typing import Any

import torch

from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.recognizer_runner import make_runner, recognition_metrics
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.weights import load_strictly

from .base import Measured, Task

LINEAR = re.compile(r'heads\.[^.]+\.classifier\.weight')
CLASSIFIER = re.compile(r'heads\.([^.]+)\.(?:cls_head\.(.+)|classifier\.(weight|bias))')


def evaluate(task: Task) -> Measured:
    """Load the classifier of joint training and test the student with it, without training.

    The classifier of a RecognitionHead is tested in mmaction2's recognizer. That of a
    ClassificationHead is applied to pooled features without absent persons, as in training.
    """
    student = task.student
    state = classifier_state(student)
    recognizer = task.build_recognizer()
    head = recognizer.get_submodule('cls_head')
    load_strictly(head, state, student.path, 'use the model.cls_head that it was trained with')
    if any(LINEAR.fullmatch(key) for key in student.weights):
        test = task.test_features
        with torch.no_grad():
            scores = head.get_submodule('fc').cpu()(torch.from_numpy(test.values)).numpy()
        return Measured(*accuracy_metrics(test.labels, scores, task.num_classes))
    runner = make_runner(task.request.cfg, recognizer, task.request.work_dir)
    return Measured(*recognition_metrics(runner.test()))


def classifier_state(student: SavedRun) -> dict[str, Any]:
    """Read the weights of a joint training's classifier, by the names of mmaction2's head.

    A RecognitionHead contains mmaction2's head. A ClassificationHead's linear layer corresponds to
    ``fc`` of GCNHead, which also averages over absent persons.
    """
    classifiers: dict[str, dict[str, Any]] = {}
    for key, value in student.weights.items():
        if match := CLASSIFIER.fullmatch(key):
            task, name, of_linear = match.groups()
            classifiers.setdefault(task, {})[name or f'fc.{of_linear}'] = value
    if len(classifiers) != 1:
        raise CheckpointError(
            f'{student.path}: holds {len(classifiers)} classifiers ({sorted(classifiers)}), '
            'wanted one: train with one RecognitionHead (docs/methods/dtg.md) or linear '
            'ClassificationHead (docs/methods/ms2l.md)'
        )
    return next(iter(classifiers.values()))
