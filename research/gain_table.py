"""Table of what pre-training gains, for the README."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.results import Result
from research.headings import COLUMNS
from research.paired_draws import find_row, format_interval, interval, paired_differences
from research.tables import check_comparable, markdown

SETTINGS = {heading: tuple(setting) for heading, *setting in COLUMNS}
DATA = {
    'jhmdb': 'JHMDB, videos',
    'utdmhad': 'UTD-MHAD, depth videos',
    'utdmhad-skeleton': 'UTD-MHAD, skeletons',
    'nwucla': 'NW-UCLA, skeletons',
    'nwucla-unseen': 'NW-UCLA, skeletons, no test clip a copy of a training clip',
    'msraction3d': 'MSR-Action3D, skeletons',
    'utkinect': 'UT-Kinect, skeletons',
    'fights-places': 'Fights in surveillance videos, two classes, tested at other places',
    'arid': 'ARID, dark videos',
    'demo': 'Demo world, synthetic videos',
    'recordings-jhmdb': 'JHMDB, joined',
    'recordings-utdmhad': 'UTD-MHAD, joined',
    'recordings-utdmhad-runs': 'UTD-MHAD, joined by class',
}
USES = {
    'fine-tuned': 'fine-tuned',
    'lda': 'linear discriminant analysis',
    'linear': 'linear classifier',
    'logistic': 'logistic regression',
}
STARTS = {'Random init': 'random', 'ImageNet start': 'ImageNet'}
NO_GAIN = 'no gain'


def make_gain_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of top-1 accuracies in percent: a start, a student and its gain.

    A gain is the mean difference of student and start ± half of its 95 % interval, paired by seed,
    or by draw of the labels; of labels per class on several splits, one a seed, the differences are
    means over the draws of a split. If the interval holds 0, the cell says so in words. A student
    with the descriptor of motion is marked. ``name`` joins rows ``DATASET/COLUMN/START/STUDENT`` by
    ``;``: a column of :func:`make_table`, or a readout of ``fewshot`` as ``lda@5``, and the names
    of two rows, with ``_`` for a blank.

    Raises:
        ConfigError: Results are missing, are no pairs, or cannot be compared.
    """
    rows = [['Real data', 'Start', 'After pre-training', 'Gain']]
    for part in name.replace('_', ' ').split(';'):
        dataset, heading, *labels = part.split('/')
        readout, _, count = heading.partition('@')
        if count:
            runs = [sorted(find_row(results, dataset, label), key=_seed) for label in labels]
            starts, students = ([run.seed for run in of] for of in runs)
            if starts != students or len(starts) == 2:
                raise ConfigError(f'gain:{part}: seeds {starts} and {students}: give both the same')
            of_splits = [paired_differences(*pair)[heading] for pair in zip(*runs)]
            gains = of_splits[0] if len(of_splits) == 1 else [mean(split) for split in of_splits]
            cells = [mean(mean(run.details['draws'][heading]) for run in of) for of in runs]
            use = f'{count} label{"s" * (count != "1")} per class, {USES[readout]}'
        else:
            cells, gains = _by_seed(results, part, dataset, heading, labels)
            kind, _, few = heading.partition(', ')
            use = f'{few or "all"} of the labels, {USES[kind.lower()]}'
        methods = [label.partition(', ')[0] for label in labels]
        methods[1] += ' + motion' * labels[1].endswith('motion')
        shown = [f'{100 * c:.1f} ({STARTS.get(m, m)})' for c, m in zip(cells, methods)]
        center, half = interval(gains)
        text = NO_GAIN if abs(center) <= half else format_interval(gains, '+')
        rows.append([f'{DATA[dataset]}, {use}', *shown, text])
    return markdown(rows)


def _seed(result: Result) -> int:
    return result.seed


def _by_seed(
    results: Sequence[Result], part: str, dataset: str, heading: str, labels: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Return the means of start and student, and their differences at each seed of both."""
    protocol, metric, fraction = SETTINGS[heading]
    runs = []
    for label in labels:
        of = (dataset, label, protocol, fraction)
        found = [r for r in results if (r.dataset, r.label, r.protocol, r.label_fraction) == of]
        runs.append({run.seed: run for run in found})
    if not all(runs):
        raise ConfigError(f'gain:{part}: no results; measure them')
    for run in (run for cell in runs for run in cell.values()):
        check_comparable(f'gain:{part}', next(iter(runs[0].values())), run)
    seeds = sorted(runs[0].keys() & runs[1].keys())
    if len({runs[1][seed].checkpoint_hash for seed in seeds}) < 3:
        raise ConfigError(f'gain:{part}: less than three pre-trainings; train another seed')
    pairs = [[cell[seed].metrics[metric] for cell in runs] for seed in seeds]
    return [mean(values) for values in zip(*pairs)], [after - start for start, after in pairs]
