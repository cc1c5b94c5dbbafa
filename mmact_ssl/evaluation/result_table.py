"""The table of results that the command line prints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mmact_ssl.evaluation.draws import format_interval, paired_differences
from mmact_ssl.evaluation.headings import format_cell
from mmact_ssl.evaluation.results import Result

FEATURE_METRICS = ('feature_std', 'effective_rank')


def print_results(results: Sequence[Result]) -> None:
    """Print the metrics as a table, one row per protocol and metric, one column per seed."""
    first = results[0]
    seeds = sorted({result.seed for result in results})
    data = f'{first.dataset} (synthetic)' if first.synthetic else first.dataset
    seed_text = f'seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
    clips = f'\n{first.test_clips} test clips' if first.test_clips else ''
    table = Table(title=f'{first.method} {first.variant} on {data}, {seed_text}{clips}')
    for heading in ('protocol', 'metric'):
        table.add_column(heading)
    for seed in seeds:
        table.add_column('value' if len(seeds) == 1 else f'seed {seed}', justify='right')
    if len(seeds) > 1:
        table.add_column('mean ± deviation', justify='right')
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        part = f', {100 * result.label_fraction:g} %' if result.label_fraction != 1 else ''
        groups[result.protocol + part].append(result)
    shown = {'n_test'}
    for protocol, group in groups.items():
        known = dict.fromkeys(metric for result in group for metric in result.metrics)
        for metric in known:
            if metric in shown:  # all protocols share the features and clips
                continue
            plain = metric in FEATURE_METRICS
            scale, digits, unit = (1, 3, '') if plain else (100, 1, ' %')
            # A seed that draws fewer samples may have fewer metrics.
            measured = [result for result in group if metric in result.metrics]
            values = {result.seed: scale * result.metrics[metric] for result in measured}
            texts = {seed: f'{value:.{digits}f}{unit}' for seed, value in values.items()}
            for result in measured:
                if metric in (draws := result.details.get('draws', {})):
                    texts[result.seed] = f'{format_interval(draws[metric])}{unit}'
            cells = [texts.get(seed, '') for seed in seeds]
            if len(seeds) > 1:
                cells.append(f'{format_cell(list(values.values()), digits)}{unit}')
            table.add_row(protocol, metric, *cells)
        table.add_section()
        shown |= set(FEATURE_METRICS) & set(known)
    Console().print(table)
    if 'fewshot' in groups:
        print(
            'fewshot: READOUT@LABELS, with that many labels of every class; '
            f'{_explain_interval(groups["fewshot"][0])}'
        )


def _explain_interval(result: Result) -> str:
    """Explain ``mean ± half width`` of a few-shot result, and what it does not cover."""
    text = 'mean over draws of the labels ± half of its 95 % interval, which covers the draws alone'
    if clips := result.test_clips:
        text += f': one of the {clips} test clips is {100 / clips:.1f} points'
    return text


def print_differences(first: Result, second: Result) -> None:
    """Print two few-shot results and the differences of their draws, the second minus the first."""
    table = Table(title=f'{second.label} minus {first.label} on {first.dataset}, paired by draw')
    for heading in ('metric', first.label, second.label, 'difference'):
        table.add_column(heading, justify='left' if heading == 'metric' else 'right')
    for metric, differences in paired_differences(first, second).items():
        values = [format_interval(result.details['draws'][metric]) for result in (first, second)]
        table.add_row(metric, *values, format_interval(differences, sign='+'))
    Console().print(table)
    print(f'in %, {_explain_interval(second)}')


def accuracy_row(result: Result) -> dict[str, Any]:
    """Top-1 accuracy of a result, and its 95 % interval (Wilson's) by the number of test clips."""
    from scipy.stats import binomtest

    share, count = result.metrics['top1'], int(result.metrics['n_test'])
    low, high = binomtest(round(share * count), count).proportion_ci(method='wilson')
    text = f'{100 * share:.1f} ({100 * low:.0f} to {100 * high:.0f})'
    return dict(method=result.method, protocol=result.protocol, text=text, n_test=count)
