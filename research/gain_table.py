"""Table of what pre-training gains, for the README."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.headings import COLUMNS, format_cell
from mmact_ssl.evaluation.results import Result
from research.tables import check_comparable, distinct, is_one_pretraining, markdown

SETTINGS = {heading: tuple(setting) for heading, *setting in COLUMNS}
DATA = {
    'jhmdb': 'JHMDB, videos',
    'utdmhad': 'UTD-MHAD, depth videos',
    'utdmhad-skeleton': 'UTD-MHAD, skeletons',
    'nwucla': 'NW-UCLA, skeletons',
    'nwucla-unseen': 'NW-UCLA, skeletons, test clips without copies',
    'msraction3d': 'MSR-Action3D, skeletons',
    'utkinect': 'UT-Kinect, skeletons',
    'arid': 'ARID, dark videos',
    'demo': 'Demo world, synthetic videos',
}
USES = {'Fine-tuned': 'fine-tuned', 'LDA': 'LDA of frozen features'}
STARTS = {'Random init': 'random', 'ImageNet start': 'ImageNet'}
WITHIN_NOISE = ' (within the noise)'
ONE_PRETRAINING = ', one pre-training'


def make_gain_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of top-1 accuracies in percent: a start, a student and its gain.

    Cells are means ± deviation over seeds, the gain is the difference of the means. A gain below
    the sum of the two deviations is marked: it is within the noise. A student's cell is marked if
    its deviation is that of one pre-training. ``name`` joins rows ``DATASET/COLUMN/START/STUDENT``
    by ``;``: a column of :func:`make_table` and the names of two of its rows, with ``_`` for a
    blank.

    Raises:
        ConfigError: Results are missing, are of one seed, or cannot be compared.
    """
    rows = [['Real data', 'Start', 'After pre-training', 'Gain']]
    for part in name.replace('_', ' ').split(';'):
        dataset, heading, start, student = part.split('/')
        runs = [_runs(results, dataset, heading, label) for label in (start, student)]
        if not all(runs):
            raise ConfigError(f'gain:{part}: no results; measure them')
        for run in (run for cell in runs for run in cell):
            check_comparable(f'gain:{part}', runs[0][0], run)
        if min(map(len, runs)) < 2:
            raise ConfigError(f'gain:{part}: one seed has no deviation; measure another seed')
        metric = SETTINGS[heading][1]
        values = [[100 * run.metrics[metric] for run in cell] for cell in runs]
        gain = statistics.mean(values[1]) - statistics.mean(values[0])
        noise = sum(map(statistics.stdev, values))
        use, _, few = heading.partition(', ')
        rows.append(
            [
                f'{DATA[dataset]}, {few or "all"} of the labels, {USES[use]}',
                *map(_cell, values, runs),
                f'{gain:+.1f}{WITHIN_NOISE if abs(gain) < noise else ""}',
            ]
        )
    return markdown(rows)


def _cell(values: Sequence[float], runs: Sequence[Result]) -> str:
    """Format the values of one cell in percent, with the method and what its ± leaves out."""
    method = runs[0].method
    once = ONE_PRETRAINING if method not in STARTS and is_one_pretraining(runs) else ''
    return f'{format_cell(values)} ({STARTS.get(method, method)}{once})'


def _runs(results: Sequence[Result], dataset: str, heading: str, label: str) -> list[Result]:
    """Select the results of one cell of :func:`make_table`."""
    protocol, metric, fraction = SETTINGS[heading]
    of = (dataset, label, protocol, fraction)
    found = [r for r in results if (r.dataset, r.label, r.protocol, r.label_fraction) == of]
    return distinct(found, metric)
