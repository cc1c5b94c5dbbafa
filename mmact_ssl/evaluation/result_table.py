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
    headings = [f'seed {seed}' for seed in seeds] if len(seeds) > 1 else ['value']
    headings += ['mean ± deviation'] if len(seeds) > 1 else []
    title = f'{first.method} {first.variant} on {first.dataset}{" (synthetic)" * first.synthetic}'
    title += f', seed{"s" * (len(seeds) > 1)} {", ".join(map(str, seeds))}'
    title += f'\n{first.test_clips} test clips' if first.test_clips else ''
    columns = (Column(heading, justify='right') for heading in headings)
    table = Table('protocol', 'metric', *columns, title=title)
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        part = f', {100 * result.label_fraction:g} %' if result.label_fraction != 1 else ''
        groups[result.protocol + part].append(result)
    shown = {'n_test'}
    for protocol, group in groups.items():
        metrics = {metric: None for result in group for metric in result.metrics}
        for metric in (metric for metric in metrics if metric not in shown):
            scale, digits, unit = (1, 3, '') if metric in FEATURE_METRICS else (100, 1, ' %')
            values = {r.seed: scale * r.metrics[metric] for r in group if metric in r.metrics}
            texts = {seed: f'{value:.{digits}f}{unit}' for seed, value in values.items()}
            for result in group:
                if draws := result.details.get('draws', {}).get(metric):
                    texts[result.seed] = f'{format_interval(draws)}{unit}'
            cells = [texts.get(seed, '') for seed in seeds]  # one may lack the metric
            if len(seeds) > 1:
                mean, spread = statistics.mean(values.values()), ''
                if len(values) > 1:
                    spread = f' ± {statistics.stdev(values.values()):.{digits}f}'
                cells.append(f'{mean:.{digits}f}{spread}{unit}')
            table.add_row(protocol, metric, *cells)
        table.add_section()
        shown |= set(FEATURE_METRICS) & set(metrics)  # all protocols share the features and clips
    Console().print(table)
    if 'fewshot' in groups:
        print(
            'fewshot: READOUT@LABELS, with that many labels of every class; mean over draws of the '
            'labels ± half of its 95 % interval, which covers the draws alone'
        )
