"""Tables of few labels per class."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.results import Result
from research.gain_table import DATA
from research.paired_draws import find_row, format_interval, paired_differences
from research.tables import markdown


def make_fewshot_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of top-1 accuracies in percent by number of labels per class.

    Cells are means over the draws ± half of the 95 % interval. ``name`` joins parts
    ``DATASET/ROW/...`` by ``;``: the labels of rows, with ``_`` for a blank. ``ROW_minus_ROW`` is a
    row of paired differences. After ``?`` stands a readout for each number of labels, separated by
    commas.

    Raises:
        ConfigError: Results are missing, are of several seeds, or are not of the same draws.
    """
    sets, _, chosen = name.partition('?')
    readouts = chosen.split(',')
    groups = []
    for part in sets.replace('_', ' ').split(';'):
        dataset, *labels = part.split('/')
        pairs = [label.split(' minus ') for label in labels]
        groups.append([[_only(find_row(results, dataset, r), r) for r in pair] for pair in pairs])
    metrics_of_all = {m for group in groups for row in group for m in row[0].details['draws']}
    counts = sorted({metric.partition('@')[2] for metric in metrics_of_all}, key=int)
    if len(readouts) != len(counts):
        raise ConfigError(f'fewshot:{name}: give one readout for each of {counts} labels')
    metrics = [f'{readout}@{count}' for readout, count in zip(readouts, counts)]
    numbers = [f'{count} label{"" if count == "1" else "s"}' for count in counts]
    rows = [['Data', 'Encoder', *map(', '.join, zip(numbers, readouts))]]
    for group in groups:
        first = group[0][0]
        data, chance = DATA.get(first.dataset, first.dataset), first.metrics['chance']
        for encoder, *references in group:
            paired_differences(first, encoder)  # refuses other draws
            draws, sign = encoder.details['draws'], '+' * len(references)
            for reference in references:
                draws = paired_differences(reference, encoder)
            cells = [format_interval(draws[m], sign) if m in draws else '-' for m in metrics]
            label = ' minus '.join(result.label for result in (encoder, *references))
            rows.append([f'{data} (chance {100 * chance:.1f})', label, *cells])
    return markdown(rows, 2)


def _only(found: Sequence[Result], label: str) -> Result:
    if len(found) > 1:
        raise ConfigError(f'fewshot: {label!r} has {len(found)} seeds, a table shows one')
    return found[0]
