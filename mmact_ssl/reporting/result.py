"""One evaluation's result: what was measured, on what, with which weights.

Results lie in ``<folder>/<data set>/<method>.jsonl``, a line a run. Confusion matrices and the
names of their classes lie beside, in ``confusions.jsonl``, joined by the name of the run and what
the result was measured with.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmact_ssl.errors import DataError
from mmact_ssl.files import read_text, write_atomically

# The checkpoint hash of an encoder without a checkpoint.
RANDOM = 'random'
# The protocol of pre-trainings themselves, beside those of evaluation.
PRETEXT = 'pretext'
CONFUSIONS = 'confusions.jsonl'
SIDE_KEYS = ('confusion', 'classes')
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
        config_hash, data_version, caches: See :mod:`mmact_ssl.reporting.provenance`; ``caches`` by
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
        """Write into a folder of results, in place of one of the same run and version.

        Several processes may write at a time: each waits for the others. Returns the file.

        Raises:
            DataError: The earlier result is of another method or variant whose name is written
                alike, or of another encoder.
        """
        file = result_file(folder, self.dataset, self.method)
        file.parent.mkdir(parents=True, exist_ok=True)
        line = {**asdict(self), 'run': self.run}
        for name in ('students', 'version'):
            if line[name] == 1:
                del line[name]
        details = line['details']
        line['details'] = {k: v for k, v in details.items() if k not in SIDE_KEYS}
        side = {key: details[key] for key in SIDE_KEYS if key in details}
        side.update(_measurement(self) if side else {})
        with _locked(file.parent):
            self._check_earlier(file.parent)
            for path, new in ((file.with_name(CONFUSIONS), side), (file, line)):
                lines = _read_lines(path)
                key = self.run, self.version
                before = lines.pop(key, None)
                if new:
                    lines[key] = {**new, 'run': self.run}
                if new or before is not None:
                    texts = [json.dumps(lines[key], sort_keys=True) for key in sorted(lines)]
                    write_atomically(path, ''.join(f'{text}\n' for text in texts))
        return file

    def _check_earlier(self, folder: Path) -> None:
        """Refuse to replace a result of the same name and another method or encoder."""
        for file in _result_files(folder):
            of_run = [line for (run, _), line in _read_lines(file).items() if run == self.run]
            for earlier, key in itertools.product(of_run, KEPT_KEYS):
                old, new = earlier.get(key, getattr(Result, key, None)), getattr(self, key)
                if old != new:
                    raise DataError(
                        f'{file}: {self.run} is there with {key} {old!r}, and this result has '
                        f'{new!r}: give another --variant'
                    )


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


def result_file(folder: str | os.PathLike, dataset: str, method: str) -> Path:
    """Return the file of a method's results on a data set, e.g. ``results/nwucla/c2vl.jsonl``."""
    return Path(folder) / _slug(dataset) / f'{_slug(method)}.jsonl'


def has_result(file: Path, run: str) -> bool:
    """True if a file of results has a run's line."""
    return any(run == name for name, _ in _read_lines(file))


def read_results(folder: str | os.PathLike) -> list[Result]:
    """Read all results of a folder, in the order of the names of their runs."""
    found: dict[tuple[str, int], Result] = {}
    files: dict[str, Path] = {}
    for dataset in sorted({file.parent for file in Path(folder).glob('*/*.jsonl')}):
        side = dataset / CONFUSIONS
        confusions = _read_lines(side)
        for file in _result_files(dataset):
            for key, line in _read_lines(file).items():
                run = key[0]
                if files.setdefault(run, file) != file:
                    raise DataError(f'{file}: {run} is also in {files[run]}; delete one line')
                beside = confusions.get(key, {})
                details = {name: beside[name] for name in SIDE_KEYS if name in beside}
                values = {k: v for k, v in line.items() if k != 'run'}
                try:
                    result = Result(**{**values, 'details': {**values['details'], **details}})
                except (TypeError, KeyError) as error:
                    raise DataError(f'{file}: {run}: not a result ({error})') from error
                for name, value in _measurement(result).items() if beside else ():
                    if beside.get(name) != value:
                        raise DataError(
                            f'{side}: {run}: {name} is {beside.get(name)} here and {value} in '
                            f'{file.name}; delete the line here, or evaluate again'
                        )
                found[key] = result
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


def _result_files(folder: Path) -> list[Path]:
    """Files of results of one data set."""
    return sorted(file for file in folder.glob('*.jsonl') if file.name != CONFUSIONS)


def _measurement(result: Result) -> dict[str, Any]:
    """Values by which a line of ``confusions.jsonl`` is known to be of a result."""
    return {
        'checkpoint_hash': result.checkpoint_hash,
        'config_hash': result.config_hash,
        'top1': result.metrics.get('top1'),
        **({'version': result.version} if result.version > 1 else {}),
    }


def _slug(text: str) -> str:
    return re.sub(r'[^\w.-]+', '-', text).lower()


def _read_lines(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Read the objects of a JSON-lines file by run and version; none of a missing file."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    if not path.is_file():
        return lines
    for number, text in enumerate(read_text(path, 'evaluate again').splitlines(), start=1):
        try:
            line = json.loads(text)
            key = str(line['run']), int(line.get('version', 1))
            repeated = lines.setdefault(key, line) is not line
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f'{path}:{number}: not a result ({error}); evaluate again') from error
        if repeated:
            raise DataError(f'{path}:{number}: {line["run"]} is there twice; delete one')
    return lines


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; other processes wait for it."""
    import fcntl  # Unix only, and only to write

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # gives the lock back
