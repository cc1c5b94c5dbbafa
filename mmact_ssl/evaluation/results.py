"""Results of evaluations, in ``<folder>/<data set>/<method>.jsonl``, one JSON line a run.

Two hashes make results comparable, of the settings and of the data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.io.files import locked, read_text, reading, sha256_of
from mmact_ssl.io.schema import Count, conform, parse_json

FIX = 'remove the line, and evaluate again'
RANDOM = 'random'  # checkpoint hash of an encoder without a checkpoint


class Details(TypedDict, total=False):
    """Details of a result that programs read: the confusion matrix, and values by draw."""

    confusion: list[list[Count]]
    drawn: str  # hash of the drawn labels
    draws: dict[str, list[float]]


@dataclass
class Result:
    """One line of ``results/``.

    Attributes:
        method: Row of the tables, e.g. 'CSVR', 'Random init'.
        variant: 'full', or what is different, e.g. 'no-pose'.
        dataset, backbone: Names of the data set and of the encoder.
        protocol: A name in :data:`mmact_ssl.evaluation.protocols.PROTOCOLS`.
        seed: Seed of initialization, labeled part and order.
        metrics: Values in 0..1, except ``feature_std``, ``effective_rank`` and ``n_test``, the
            number of test clips.
        label_fraction: Fraction of the training labels that was used.
        config_hash, data_version: See the functions of these names.
        checkpoint_hash: Sha256 of the checkpoint, or of the weights that the config starts from, or
            'random'.
        details: :class:`Details`, the names of the ``classes``, and the like.
    """

    method: str
    variant: str
    dataset: str
    protocol: str
    backbone: str
    seed: Count
    metrics: dict[str, float]
    label_fraction: float
    config: str
    config_hash: str
    checkpoint_hash: str
    data_version: str
    synthetic: bool
    details: Details = field(default_factory=Details)

    @property
    def test_clips(self) -> int:
        """Number of test clips; 0 if it is unknown."""
        # Early results have a confusion matrix alone, which counts each clip once.
        counted = sum(map(sum, self.details.get('confusion', ())))
        return int(self.metrics.get('n_test', counted))

    @property
    def label(self) -> str:
        """Name of the result's row in tables, and of its method in pictures."""
        return self.method if self.variant == 'full' else f'{self.method}, {self.variant}'

    @property
    def run(self) -> str:
        """Name of the run, see :func:`run_name`."""
        names = (self.method, self.variant, self.dataset, self.protocol)
        return run_name(*names, self.label_fraction, self.seed)

    def write(self, folder: str | os.PathLike) -> Path:
        """Append the result to its file in a folder, and return the file.

        The last line of a run counts. Processes write one after the other.

        Raises:
            DataError: An earlier result of this run's name has another encoder, method or variant.
        """
        file = result_file(folder, self.dataset, self.method)
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.parent):  # or one would read half a line of another
            for earlier in read_results(folder, file.parent.name):
                for key in ('method', 'variant', 'backbone') if earlier.run == self.run else ():
                    old, new = getattr(earlier, key), getattr(self, key)
                    if old != new:
                        raise DataError(
                            f'{file}: {self.run} is there with {key} {old!r}, and this result has '
                            f'{new!r}: give another --variant'
                        )
            line = json.dumps({**asdict(self), 'run': self.run}, sort_keys=True)
            with open(file, 'a', encoding='utf-8') as stream:
                stream.write(f'{line}\n')
        return file


KEYS = [field.name for field in fields(Result)]


def run_name(
    method: str,
    variant: str,
    dataset: str,
    protocol: str,
    label_fraction: float = 1.0,
    seed: int = 0,
) -> str:
    """Name a run of a protocol, e.g. ``csvr_full_demo_finetune-10pct_seed0``."""
    part = '' if label_fraction == 1 else f'-{100 * label_fraction:g}pct'
    return _slug(f'{method}_{variant}_{dataset}_{protocol}{part}_seed{seed}')


def result_file(folder: str | os.PathLike, dataset: str, method: str) -> Path:
    """File of a method's results on a data set, e.g. ``results/nwucla/c2vl.jsonl``."""
    return Path(folder) / _slug(dataset) / f'{_slug(method)}.jsonl'


def read_results(folder: str | os.PathLike, dataset: str = '*') -> list[Result]:
    """Read the results of a folder, of all data sets or one, in the order of their runs' names."""
    results: dict[str, Result] = {}
    for file in sorted(Path(folder).glob(f'{dataset}/*.jsonl')):
        for number, text in enumerate(read_text(file, FIX).split('\n'), start=1):
            if text.strip():
                with reading(f'{file}:{number}', FIX):
                    line = parse_json(text)
                    # A line of an earlier version may have more keys.
                    result = conform({key: line[key] for key in KEYS if key in line}, Result)
                    results[result.run] = result  # the last line of a run counts
    return [results[run] for run in sorted(results)]


def _slug(text: str) -> str:
    return re.sub(r'[^\w.-]+', '-', text).lower()


def config_hash(config: Any, *annotations: Iterable[str]) -> str:
    """Hash settings and annotations, independent of the place of ``$MMACT_SSL_DATA``.

    Args:
        config: The parts of the config that the protocol reads.
        annotations: Lines of the splits, training before test.
    """
    text = json.dumps(config, sort_keys=True, default=str)
    if root := os.environ.get('MMACT_SSL_DATA'):
        text = text.replace(json.dumps(root)[1:-1].rstrip('/') + '/', 'data/')
    return sha256_of(''.join([text, *map(''.join, annotations)]))


def data_version(train: Split, test: Split) -> str:
    """Hash both annotations and the skeletons."""
    lines = ''.join([*train.lines(), *test.lines()])
    return sha256_of(f'{lines}{train.skeletons}{test.skeletons}')
