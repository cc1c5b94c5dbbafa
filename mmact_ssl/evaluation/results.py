"""Results of evaluations: what was measured, on what, with which weights.

They lie in ``<folder>/<data set>/<method>.jsonl``, one JSON line a run.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmact_ssl.errors import DataError
from mmact_ssl.files import read_text

# The checkpoint hash of an encoder without a checkpoint.
RANDOM = 'random'
# The protocol of pre-trainings themselves, beside those of evaluation.
PRETEXT = 'pretext'
# Names of runs may agree where these differ: such a result is not replaced.
KEPT_KEYS = ('method', 'variant', 'backbone', 'prefix', 'students')


@dataclass
class Result:
    """A result as it is written to ``results/``.

    Attributes:
        method: Row of the tables, e.g. 'CSVR', 'Random init'.
        variant: 'full', or what was left out, e.g. 'no-pose'.
        dataset, backbone: As the config names them.
        protocol: A name in :data:`mmact_ssl.evaluation.protocols.PROTOCOLS`, or 'pretext'.
        seed: Of initialization, labeled part and order.
        metrics: Values in 0..1, apart from ``feature_std``, ``effective_rank`` and ``n_test``, the
            test clips that the others rest on.
        label_fraction: Share of the training labels that was used.
        config_hash, data_version, caches: See :mod:`mmact_ssl.evaluation.provenance`; ``caches`` by
            path, beside the data version's; of pretext tasks also the folders of skeletons. Early
            results do not record it.
        checkpoint_hash: Sha256 of the file, without one of that of the weights that the config
            starts from, or 'random'.
        details: What is not a metric: the ``confusion`` matrix, the names of its ``classes``.
        pretrained_on: Data set that the student was pre-trained on, where that was given.
        prefix: What the student's keys in the checkpoint begin with: a momentum copy is another
            encoder of the same file.
        students: Number of students whose frozen features stand side by side; written above 1.
        version: Of the measurement, see :func:`mmact_ssl.evaluation.protocols.version_of`; written
            above 1. A folder holds one result of each version of a run.
    """

    method: str
    variant: str
    dataset: str
    protocol: str
    backbone: str
    seed: int
    metrics: dict[str, float]
    label_fraction: float
    config: str
    config_hash: str
    checkpoint_hash: str
    data_version: str
    synthetic: bool
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    pretrained_on: str = ''
    prefix: str = 'backbone.'
    caches: dict[str, str] = field(default_factory=dict)
    students: int = 1
    version: int = 1

    @property
    def transferred(self) -> bool:
        """True if the student was pre-trained on another data set."""
        return self.pretrained_on not in ('', self.dataset)

    @property
    def kind(self) -> str:
        """Kind of the data, as the tables name it."""
        return 'synthetic data' if self.synthetic else 'real data'

    @property
    def label(self) -> str:
        """Name of the row in tables, and of the method in pictures."""
        name = self.method if self.variant == 'full' else f'{self.method}, {self.variant}'
        return f'{name}, pre-trained on {self.pretrained_on}' if self.transferred else name

    @property
    def run(self) -> str:
        """Name that tells results of different runs apart."""
        names = (self.method, self.variant, self.dataset, self.protocol)
        return run_name(*names, self.label_fraction, self.seed, self.pretrained_on)

    def write(self, folder: str | os.PathLike) -> Path:
        """Append a line to a folder of results; of one run and version the last line counts.

        Several processes may write at a time. Returns the file.

        Raises:
            DataError: The earlier result is of another method or variant whose name is written
                alike, or of another encoder.
        """
        file = result_file(folder, self.dataset, self.method)
        for earlier in read_results(folder, file.parent.name):
            for key in KEPT_KEYS if earlier.run == self.run else ():
                old, new = getattr(earlier, key), getattr(self, key)
                if old != new:
                    raise DataError(
                        f'{file}: {self.run} is there with {key} {old!r}, and this result has '
                        f'{new!r}: give another --variant'
                    )
        line = {**asdict(self), 'run': self.run}
        for name in ('students', 'version'):
            if line[name] == 1:
                del line[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that the line is one write, which no other process can cut in two.
        with open(file, 'ab', buffering=0) as lines:
            lines.write(f'{json.dumps(line, sort_keys=True)}\n'.encode())
        return file


def run_name(
    method: str,
    variant: str,
    dataset: str,
    protocol: str,
    label_fraction: float = 1.0,
    seed: int = 0,
    pretrained_on: str = '',
) -> str:
    """Return the name of a run and protocol, e.g. ``csvr_full_demo_finetune-10pct_seed0``.

    A student from another data set is named so: ``ms2l_full_utdmhad-from-nwucla_linear_…``.
    """
    part = '' if label_fraction == 1 else f'-{100 * label_fraction:g}pct'
    source = '' if pretrained_on in ('', dataset) else f'-from-{pretrained_on}'
    return _slug(f'{method}_{variant}_{dataset}{source}_{protocol}{part}_seed{seed}')


def student_name(checkpoint: str, prefix: str = 'backbone.') -> str:
    """Name a student that has no method: ``x/epoch_4`` of ``work_dirs/x/epoch_4.pth``.

    The path from the last folder ``work_dirs`` on, else its last two parts.
    """
    path = Path(checkpoint)
    parts = path.parts if path.is_dir() else (*path.parts[:-1], path.stem)
    after = len(parts) - parts[::-1].index('work_dirs') if 'work_dirs' in parts else -2
    name = '/'.join(part for part in parts[after:] if part not in ('/', '..'))
    return name if prefix == 'backbone.' else f'{name}-{prefix}'


def result_file(folder: str | os.PathLike, dataset: str, method: str) -> Path:
    """Return the file of a method's results on a data set, e.g. ``results/nwucla/c2vl.jsonl``."""
    return Path(folder) / _slug(dataset) / f'{_slug(method)}.jsonl'


def has_result(file: Path, run: str) -> bool:
    """True if a file of results has a run's line."""
    return any(run == name for name, _ in _read_lines(file))


def read_results(folder: str | os.PathLike, dataset: str = '*') -> list[Result]:
    """Read the results of a folder, all or of one data set, in the order of their runs' names."""
    found: dict[tuple[str, int], Result] = {}
    files: dict[str, Path] = {}
    for file in sorted(Path(folder).glob(f'{dataset}/*.jsonl')):
        for (run, version), line in _read_lines(file).items():
            if files.setdefault(run, file) != file:
                raise DataError(f'{file}: {run} is also in {files[run]}; delete one line')
            try:
                result = Result(**{k: v for k, v in line.items() if k != 'run'})
            except TypeError as error:
                raise DataError(f'{file}: {run}: not a result ({error})') from error
            found[run, version] = result
    return [found[key] for key in sorted(found)]


def newest_complete(results: Sequence[Result]) -> list[Result]:
    """Of results of one kind, those of the newest version that has the most seeds.

    Results of two versions are never averaged. A new version counts once it has all seeds of the
    one before.
    """
    versions: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        versions[result.version].append(result)
    return versions[max(versions, key=lambda version: (len(versions[version]), version))]


def early_results(results: Iterable[Result]) -> set[int]:
    """Find the ids of results that are of an earlier version than others of their kind.

    A kind is a data set, a backbone and a protocol, whose own version counts too.
    """
    # Not at the top: the protocols import this module.
    from mmact_ssl.evaluation.protocols import PROTOCOLS

    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in results:
        if result.protocol != PRETEXT:
            groups[result.dataset, result.backbone, result.protocol].append(result)
    return {
        id(result)
        for (*_, protocol), group in groups.items()
        for result in group
        if result.version < max(PROTOCOLS[protocol].version, *(other.version for other in group))
    }


def _slug(text: str) -> str:
    return re.sub(r'[^\w.-]+', '-', text).lower()


def _read_lines(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Read the last line of each run and version of a file; none of a missing file."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    if not path.is_file():
        return lines
    for number, text in enumerate(read_text(path, 'evaluate again').splitlines(), start=1):
        try:
            line = json.loads(text)
            lines[str(line['run']), int(line.get('version', 1))] = line
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f'{path}:{number}: not a result ({error}); evaluate again') from error
    return lines
