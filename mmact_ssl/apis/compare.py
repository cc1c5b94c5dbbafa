"""One table of encoders on the labeled clips of a prepared folder."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Column, Table

from mmact_ssl.apis.feature_index import FORMAT
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.configs.encoder_config import shipped_encoders
from mmact_ssl.datasets.prepared_folder import read_groups
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import read_splits, write_labeled_lists
from mmact_ssl.evaluation.draws import paired_interval
from mmact_ssl.evaluation.evaluate import check_inputs
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.evaluation.protocols.fewshot import WIDE
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.files import sha256_of, write_atomically
from mmact_ssl.io.schema import read_json
from mmact_ssl.io.student_file import StudentFile

MEASURED = 'fewshot', 'linear', 'knn'
FRAMES_PER_MINUTE = 1800  # of skeletons, which have no clock: 30 per second


def compare(
    data: str | os.PathLike[str],
    models: Mapping[str, str],
    folder: str | os.PathLike[str],
    show_progress: bool = True,
) -> tuple[str, dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Compare encoders by the protocols ``fewshot``, ``linear`` and ``knn``.

    Args:
        data: Prepared folder with labels. Without a test list its clips are halved, whole groups,
            and each half is the test of the other.
        models: What :meth:`Encoder.load` takes, by name in the table, see :func:`short_names`.
        folder: Keeps the features; what is there is not embedded again.

    Returns:
        The table; right answers by model, and by labels per class or classifier, bool ``(R, T)``
        for R draws of the labels and T test clips; groups of the test clips ``(T,)``.

    Raises:
        DataError: The data is damaged, or has too few labels.
        CheckpointError, ConfigError: A model is damaged, or does not read such data.
    """
    opened: dict[str, tuple[list[ProtocolInput], RetrievalInferencer, int]] = {}
    searches: dict[Path, RetrievalInferencer] = {}
    for name, model in models.items():
        # All models read the same data: what is printed about it is printed once.
        with redirect_stdout(None if opened else sys.stdout):
            halves = read_inputs(data, model)
        encoder = halves[0].build_encoder()
        state = encoder.backbone.state_dict().values()
        # Random weights have no file; their sums tell them apart.
        weights = encoder.sha256 or sha256_of(str([part.double().sum() for part in state]))
        place = Path(folder, sha256_of(json.dumps([FORMAT, weights, encoder.config.record]))[:16])
        if place not in searches:  # a model that has two names is embedded once
            options: dict[str, Any] = dict(show_progress=show_progress, weights=weights)
            searches[place] = RetrievalInferencer(encoder, place, **options)
        size = sum(weight.numel() for weight in encoder.backbone.parameters())
        opened[name] = halves, searches[place], size
    right, facts, licenses = {}, [], []
    for name, (halves, search, size) in opened.items():
        seconds = embed_splits(search, halves)
        parts = [classify(inputs) for inputs in halves]
        common = [key for key in parts[0] if key in parts[-1]]
        right[name] = {key: np.concatenate([p[key] for p in parts], axis=1) for key in common}
        facts.append((f'{size / 1e6:.1f} M', f'{seconds:.1f}'))
        card = halves[0].saved and halves[0].saved.card
        long = '' if models[name] == name else f' ({models[name]})'
        licenses.append(f'  {name}{long}: {card.licence if card else "not recorded"}')
    halves = next(iter(opened.values()))[0]  # those of all models have the same clips
    inputs, names = halves[0], [name for half in halves for name in half.test.names]
    groups = read_groups(inputs.cfg.group_file, names) if inputs.cfg.group_file else np.array(names)
    columns = [Column(name, justify='right', overflow='fold') for name in right]
    table, (first, *others) = Table('labels per class', *columns), right.values()
    for key, answers in first.items():
        cells = [f'{100 * answers.mean():.1f}']
        for other in others:
            mean, half = (100 * value for value in paired_interval(answers, other[key], groups))
            mark = '*' if abs(mean) > half else ''
            cells.append(f'{100 * other[key].mean():.1f}\n{mean:+.1f} ± {half:.1f}{mark}')
        table.add_row(key, *cells)
    table.add_section()
    unit = 'processor' if inputs.device == 'cpu' else 'GPU'
    for head, column in zip(('weights', f'{unit} seconds per minute'), zip(*facts)):
        table.add_row(head, *column)
    console = Console()
    with console.capture() as shown:
        console.print(table)
    text = (
        f'{shown.get()}Top-1 in % of {len(groups)} test clips in {len({*groups})} groups, after '
        f'{len(inputs.train.names)} training clips; chance {100 / len(inputs.classes):.1f}.\n'
        'Below an accuracy is its difference from the first encoder, ± half of the 95 % interval '
        'over test groups and draws of the labels; * differs from 0. Licenses:\n'
    )
    return text + '\n'.join(licenses), right, groups


def short_names(models: Sequence[str]) -> dict[str, str]:
    """{name: model}, equal models once: a name is the end of a path that no other model has."""
    parts = {tuple(re.sub('/+(?=,|$)', '', model).split('/')): model for model in models}
    names = {}
    for own, model in parts.items():
        ends = (n for n in range(1, len(own)) if [p[-n:] for p in parts].count(own[-n:]) == 1)
        names['/'.join(own[-next(ends, len(own)) :])] = model
    return names


def read_inputs(data: str | os.PathLike[str], model: str) -> list[ProtocolInput]:
    """Read a model and the splits, both ways if there is no test list, and check them."""
    name = model.partition(',')[0]
    is_config = name.endswith('.py') or name in shipped_encoders()
    saved = None if is_config else StudentFile.read(model)
    cfg, encoder = read_evaluation(saved or model, os.fspath(data))
    init_default_scope(cfg.default_scope)
    is_halved = not os.path.isfile(cfg.own_folder.test)
    write_labeled_lists(cfg)
    inputs = ProtocolInput(cfg, encoder, saved, *read_splits(cfg), device=get_device())
    check_inputs(inputs, MEASURED)
    other = replace(inputs, train=inputs.test, test=inputs.train, extracted={})
    # The other way too needs labels of each class; a class of one group is in one half only.
    is_halved &= {*inputs.train.labels} == {*inputs.test.labels}
    return [inputs, other] if is_halved else [inputs]


def embed_splits(search: RetrievalInferencer, halves: Sequence[ProtocolInput]) -> float:
    """Fill in the splits' features, embedding new clips; return seconds per minute of all calls."""
    is_skeleton = search.encoder.config.is_skeleton
    before, file = {*search.index.versions}, search.index.path / 'cost.json'
    splits = halves[0].train, halves[0].test
    paths = [[os.path.abspath(os.path.join(s.root, name)) for name in s.names] for s in splits]
    # On a CPU other programs must not count; while a GPU works, the process only waits.
    clock = time.process_time if halves[0].device == 'cpu' else time.perf_counter
    start = clock()
    search.add(splits[0].root if is_skeleton else [Path(p) for p in paths[0] + paths[1]])
    spent = clock() - start
    windows, values = search.index.rows()
    length = sum(window.stop for window in windows if window.name not in before)
    kind, unit = tuple[float, float], FRAMES_PER_MINUTE if is_skeleton else 60
    seconds, minutes = read_json(file, 'delete it', kind) if file.is_file() else (0.0, 0.0)
    if length:
        seconds, minutes = seconds + spent, minutes + length / unit
        write_atomically(file, json.dumps([seconds, minutes]))
    places = {window.name: place for place, window in enumerate(windows)}
    if lost := [path for path in paths[0] + paths[1] if path not in places]:
        raise DataError(f'{lost[0]}: cannot be embedded: leave it out of the labels')
    rows = [values[[places[path] for path in names]] for names in paths]
    features = [Features(part, split.labels) for part, split in zip(rows, splits)]
    # What the first half trains with is the test of the other.
    for inputs, keys in zip(halves, (('train', 'test'), ('test', 'train'))):
        inputs.extracted.update(zip(keys, features))
    return seconds / minutes if minutes else float('nan')


def classify(inputs: ProtocolInput) -> dict[str, np.ndarray]:
    """Right answers, see :func:`compare`; the readout is that of docs/start/few_labels.md."""
    few = 'logistic' if inputs.encoder.feature_dim >= WIDE else 'lda'
    right = {}
    for name in MEASURED:
        measured = PROTOCOLS[name].evaluate(inputs, **inputs.cfg.get(name, {}))
        for key, answers in measured.right.items():
            readout, _, count = key.partition('@')
            if not count:
                right[f'all, {readout}'] = answers
            elif readout == ('logistic' if count == '1' else few) and len(answers) > 1:
                right[count] = answers
    return right
