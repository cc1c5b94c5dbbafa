"""Tables of few labels a class: a start, a student, and their paired differences."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.draws import find_row, format_interval, paired_differences
from mmact_ssl.evaluation.protocols.fewshot import READOUTS
from mmact_ssl.evaluation.results import Result
from research.gain_table import DATA
from research.tables import markdown


def make_fewshot_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of top-1 accuracies in percent by number of labels a class.

    Cells are means over the draws ± half of the 95 % interval. ``name`` joins ``DATASET/FIRST/...``
    by ``;``: the labels of rows, with ``_`` for a blank. Each row after the first is followed by
    its differences from it, paired by draw. After ``?`` stands a readout for each number of labels,
    separated by commas: then the table has these alone, and no differences.

    Raises:
        ConfigError: Results are missing, are of several seeds, or cannot be paired.
    """
    sets, _, chosen = name.partition('?')
    readouts = chosen.split(',') if chosen else []
    rows: list[list[str]] = []
    groups = []
    for part in sets.replace('_', ' ').split(';'):
        dataset, *labels = part.split('/')
        groups.append([_only(find_row(results, dataset, label), label) for label in labels])
    metrics_of_all = {m for group in groups for r in group for m in r.details['draws']}
    counts = sorted({metric.partition('@')[2] for metric in metrics_of_all}, key=int)
    for encoders in groups:
        first = encoders[0]
        data, chance = DATA.get(first.dataset, first.dataset), first.metrics['chance']
        data += f' (chance {100 * chance:.1f})'
        shown = [readouts] if readouts else [[readout] * len(counts) for readout in READOUTS]
        for names in shown:
            if len(names) != len(counts):
                raise ConfigError(f'fewshot:{name}: give one readout for each of {counts} labels')
            metrics = [f'{readout}@{count}' for readout, count in zip(names, counts)]
            heads = [data] if readouts else [data, names[0]]
            for encoder in encoders:
                label = encoder.label
                rows.append([*heads, label, *_cells(encoder.details['draws'], metrics)])
                differences = paired_differences(first, encoder)  # also refuses what is no pair
                if encoder is not first and not readouts:
                    cells = _cells(differences, metrics, '+')
                    rows.append([*heads, f'{label} minus {first.label}', *cells])
    numbers = [f'{count} label{"" if count == "1" else "s"}' for count in counts]
    if readouts:
        numbers = [f'{text}, {readout}' for text, readout in zip(numbers, readouts)]
    heading = ['Data', *([] if readouts else ['Readout']), 'Encoder', *numbers]
    return markdown([heading, *rows], len(heading) - len(counts))


def _only(found: Sequence[Result], label: str) -> Result:
    if len(found) > 1:
        raise ConfigError(f'fewshot: {label!r} has {len(found)} seeds, a table shows one')
    return found[0]


def _cells(draws: dict[str, list[float]], metrics: Sequence[str], sign: str = '') -> list[str]:
    return [format_interval(draws[m], sign) if m in draws else '-' for m in metrics]
