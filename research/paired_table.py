"""Table of what several students gain over their start, seed by seed."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scipy.stats import ttest_1samp

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.protocols import is_stochastic
from mmact_ssl.evaluation.results import RANDOM, Result
from research.headings import COLUMNS, format_cell, has_column
from research.tables import BASELINE, check_comparable, distinct, format_seeds, markdown, select

METRICS = {heading: metric for heading, _, metric, _ in COLUMNS}
Cells = dict[str, list[Result]]  # {heading: results}
LEVEL = 0.05  # of the test that marks a gain


def make_paired_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table: accuracies of a start in percent, and its students' gains in points.

    A gain is the mean ± deviation (n - 1) of the differences at one seed. The seed draws the random
    weights and the labels, so what these add to both sides is taken away. A start that draws
    neither is the same for all seeds. A gain is bold if a t test over at least three seeds tells it
    from 0 at 5 %.

    Args:
        name: Parts ``DATASET/START/METHODS@VARIANTS?PROTOCOLS``, joined by ``;``. ``START`` is a
            row of :func:`research.tables.make_table`, the rest is for
            :func:`research.tables.select`. ``_`` is a blank.

    Raises:
        ConfigError: Results are missing or cannot be compared.
    """
    groups: dict[tuple[str, str], dict[str, Cells]] = defaultdict(dict)
    for part in name.split(';'):
        if part.count('/') != 2:
            raise ConfigError(f'paired:{part}: give DATASET/START/METHODS@VARIANTS')
        dataset, start, students = part.split('/')
        key = dataset, start.replace('_', ' ')
        groups[key] |= _students(results, *key, students)
    shown = {heading for group in groups.values() for cells in group.values() for heading in cells}
    headings = [heading for heading in METRICS if heading in shown]
    rows, counts = [['Student', 'Method', *headings]], []
    for (dataset, start), group in groups.items():
        of_start = _cells(run for run in results if (run.dataset, run.label) == (dataset, start))
        student = f'{dataset}, {next(iter(of_start.values()))[0].backbone}'
        accuracies = [_accuracy(heading, of_start.get(heading, [])) for heading in headings]
        rows.append([student, *(f'*{text}*' for text in (start, *accuracies))])
        for label, cells in sorted(group.items(), key=lambda item: item[0].lower()):
            gains = [_gains(name, heading, of_start, cells) for heading in headings]
            counts += [len(cell) for cell in gains if cell]
            rows.append([student, label, *map(_format_gains, gains)])
    if not counts:
        raise ConfigError(f'paired:{name}: a start and its students share no seed; measure one')
    caption = (
        '*Start*: top-1 accuracy in %, all seeds. Below it: gain in points at each seed of both, '
        f'mean ± deviation over {format_seeds(counts)}. Bold: a t test tells the '
        f'gain from 0 at {100 * LEVEL:.0f} %; without any gain it would in one of '
        f'{1 / LEVEL:.0f} cells.'
    )
    return f'{caption}\n\n{markdown(rows, 2)}'


def _accuracy(heading: str, cell: Sequence[Result]) -> str:
    return format_cell([100 * run.metrics[METRICS[heading]] for run in cell])


def _students(results: Sequence[Result], dataset: str, start: str, chosen: str) -> dict[str, Cells]:
    """Return {label: cells} of the students that have the backbone of a start."""
    backbones = {run.backbone for run in results if (run.dataset, run.label) == (dataset, start)}
    if len(backbones) != 1:
        raise ConfigError(f'paired:{dataset}/{start}: one backbone is needed, not {backbones}')
    found: dict[str, list[Result]] = defaultdict(list)
    for run in select(results, f'{dataset}/{chosen}'):
        if run.backbone in backbones and run.method != BASELINE:
            found[run.label].append(run)
    known = {run.method for runs in found.values() for run in runs}
    methods = set(chosen.partition('?')[0].partition('@')[0].replace('_', ' ').split(','))
    if missing := sorted(methods - known):
        raise ConfigError(f'paired:{dataset}/{start}: no results of {missing[0]!r}; measure it')
    cells = {label: _cells(runs) for label, runs in found.items()}
    return {label: of for label, of in cells.items() if of}


def _cells(results: Iterable[Result]) -> Cells:
    """Return the results of each heading."""
    cells: Cells = defaultdict(list)
    for run in results:
        for column in COLUMNS:
            if has_column(run, column):
                cells[column[0]].append(run)
    return {heading: distinct(runs, METRICS[heading]) for heading, runs in cells.items()}


def _gains(name: str, heading: str, start: Cells, student: Cells) -> list[float]:
    """Return the differences in points at each seed that both sides have."""
    first, *more = start.get(heading, [None])
    is_fixed = (
        not more
        and first is not None
        and first.checkpoint_hash != RANDOM
        and not is_stochastic(first.protocol, first.label_fraction)
    )
    by_seed = {run.seed: run for run in start.get(heading, [])}
    gains = []
    for run in student.get(heading, []):
        other = first if is_fixed else by_seed.get(run.seed)
        if other is None:
            continue
        check_comparable(f'paired:{name}, {heading!r}', other, run)
        gains.append(100 * (run.metrics[METRICS[heading]] - other.metrics[METRICS[heading]]))
    return gains


def _format_gains(gains: Sequence[float]) -> str:
    if not gains:
        return '-'
    text = f'{statistics.mean(gains):+.1f}'
    if len(gains) > 1:
        text += f' ± {statistics.stdev(gains):.1f}'
    return f'**{text}**' if len(gains) > 2 and ttest_1samp(gains, 0).pvalue < LEVEL else text
