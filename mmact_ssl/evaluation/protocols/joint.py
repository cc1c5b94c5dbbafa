"""Test of a student with the classifier of its joint training."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from mmengine.config import Config

from mmact_ssl.datasets.prepared_folder import hash_classes
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.labels_read import records_of
from mmact_ssl.evaluation.recognizer_runner import make_runner, recognition_metrics
from mmact_ssl.saved_run import SavedRun, drawn_labels
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


def check_classes(student: SavedRun, cfg: Config) -> None:
    """Compare the classes of a joint training with those of a downstream config.

    A file of an early version records no classes, and a list may have no ``classes.txt`` beside it:
    then the data set must be the same.

    Raises:
        ConfigError: The classes or their order differ.
    """
    read = student.labels_read
    if read is None:
        return
    ann_file = cfg.train_dataloader.dataset.ann_file
    classes = hash_classes(ann_file)
    if read.classes and classes and read.classes.partition(':')[0] == classes.partition(':')[0]:
        is_same = read.classes == classes
    else:
        is_same = replace(read, earlier=()) in records_of(student, cfg)
    if not is_same:
        raise ConfigError(
            f'{student.path}: its classifier was trained for the classes of {read.dataset}, and '
            f'{ann_file} has others or another order: give the data of the training, or take linear'
        )


def check_labels(student: SavedRun, label_fraction: float, seed: int) -> bool:
    """Compare a result's fraction and seed of the labels with those of the joint training.

    Returns:
        True if they are the same, False for a file without the config of its training.

    Raises:
        ConfigError: The training had another fraction of the labels or another draw.
    """
    loader = student.config.get('train_dataloader')
    if not loader:
        return False
    fraction, label_seed = drawn_labels(loader)
    if fraction != label_fraction:
        raise ConfigError(
            f'{student.path}: was trained with {fraction:g} of the labels, not {label_fraction:g}: '
            f'give --label-fraction {fraction:g}'
        )
    if fraction != 1 and label_seed != seed:
        raise ConfigError(
            f'{student.path}: its labels were drawn with label_seed={label_seed}, not {seed}: give '
            f'--seed {label_seed}'
        )
    return True
