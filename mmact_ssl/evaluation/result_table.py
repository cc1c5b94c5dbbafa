"""The table of results that the command line prints."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from mmact_ssl.evaluation.draws import format_interval
from mmact_ssl.evaluation.results import Result

FEATURE_METRICS = ('feature_std', 'effective_rank')


def print_results(results: Sequence[Result]) -> None:
    """Print the metrics as a table, one row per protocol and metric, one column per seed."""
    first, seeds = results[0], sorted({result.seed for result in results})
    headings = [*(f'seed {n}' for n in seeds), 'mean ± deviation'] if seeds[1:] else ['value']
    title = f'{first.method} {first.variant} on {first.dataset}{" (synthetic)" * first.synthetic}'
    title += f', seed{"s" if seeds[1:] else ""} {", ".join(map(str, seeds))}'
    title += f'\n{first.test_clips} test clips' if first.test_clips else ''
    columns = (Column(heading, justify='right') for heading in headings)
    table = Table('protocol', 'metric', *columns, title=title)
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        part = f', {100 * result.label_fraction:g} %' if result.label_fraction != 1 else ''
        groups[result.protocol + part].append(result)
    left_out = {'n_test'}
    for protocol, group in groups.items():
        metrics = dict.fromkeys(metric for result in group for metric in result.metrics)
        for metric in (metric for metric in metrics if metric not in left_out):
            table.add_row(protocol, metric, *metric_cells(group, metric, seeds))
        table.add_section()
        left_out |= set(FEATURE_METRICS) & set(metrics)  # all protocols share features and clips
    Console().print(table)
    if 'fewshot' in groups:
        print(
            'fewshot: READOUT@LABELS, with that many labels of every class; mean over draws of the '
            'labels ± half of its 95 % interval, which covers the draws alone'
        )


def metric_cells(results: Sequence[Result], metric: str, seeds: Sequence[int]) -> list[str]:
    """Texts of a metric: one per seed, '' where it is lacking; with several, mean and deviation."""
    scale, digits, unit = (1, 3, '') if metric in FEATURE_METRICS else (100, 1, ' %')
    values, texts = {}, {}
    for result in results:
        if metric in result.metrics:
            values[result.seed] = value = scale * result.metrics[metric]
            draws = result.details.get('draws', {}).get(metric)
            texts[result.seed] = format_interval(draws) if draws else f'{value:.{digits}f}'
    cells = [f'{texts[seed]}{unit}' if seed in texts else '' for seed in seeds]
    if len(seeds) > 1:
        deviation = f' ± {statistics.stdev(values.values()):.{digits}f}' if len(values) > 1 else ''
        cells.append(f'{statistics.mean(values.values()):.{digits}f}{deviation}{unit}')
    return cells
