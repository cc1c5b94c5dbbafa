"""Tables of few labels per class."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.draws import find_row, format_interval, paired_differences
from mmact_ssl.evaluation.results import Result
from research.gain_table import DATA
from research.tables import markdown


def make_fewshot_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of top-1 accuracies in percent by number of labels per class.

    Cells are means over the draws ± half of the 95 % interval. ``name`` joins parts
    ``DATASET/ROW/...`` by ``;``: the labels of rows, with ``_`` for a blank. After ``?`` stands a
    readout for each number of labels, separated by commas.

    Raises:
        ConfigError: Results are missing, are of several seeds, or are not of the same draws.
    """
    sets, _, chosen = name.partition('?')
    readouts = chosen.split(',')
    groups = []
    for part in sets.replace('_', ' ').split(';'):
        dataset, *labels = part.split('/')
        groups.append([_only(find_row(results, dataset, label), label) for label in labels])
    metrics_of_all = {m for group in groups for r in group for m in r.details['draws']}
    counts = sorted({metric.partition('@')[2] for metric in metrics_of_all}, key=int)
    if len(readouts) != len(counts):
        raise ConfigError(f'fewshot:{name}: give one readout for each of {counts} labels')
    metrics = [f'{readout}@{count}' for readout, count in zip(readouts, counts)]
    numbers = [f'{count} label{"" if count == "1" else "s"}' for count in counts]
    rows = [['Data', 'Encoder', *map(', '.join, zip(numbers, readouts))]]
    for first, *others in groups:
        data, chance = DATA.get(first.dataset, first.dataset), first.metrics['chance']
        for encoder in (first, *others):
            paired_differences(first, encoder)  # refuses other draws
            draws = encoder.details['draws']
            cells = [format_interval(draws[m]) if m in draws else '-' for m in metrics]
            rows.append([f'{data} (chance {100 * chance:.1f})', encoder.label, *cells])
    return markdown(rows, 2)


def _only(found: Sequence[Result], label: str) -> Result:
    if len(found) > 1:
        raise ConfigError(f'fewshot: {label!r} has {len(found)} seeds, a table shows one')
    return found[0]
