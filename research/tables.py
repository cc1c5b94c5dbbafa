"""Result tables of README and docs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_metric import trivial_answer
from mmact_ssl.evaluation.protocols import is_stochastic
from mmact_ssl.evaluation.results import RANDOM, Result
from mmact_ssl.models.dependence import OTHER_CLIP
from research.headings import COLUMNS, format_cell, has_column
from research.steps import PRETEXT

# A row: data set, method, variant, data set of pre-training if it is another, backbone.
Row = tuple[str, str, str, str]
# The baseline comes first, the other methods in alphabetical order.
BASELINE = 'Random init'
NO_RESULTS = '*No results yet.*\n'


def select(results: Iterable[Result], name: str) -> list[Result]:
    """Select the results of a marker ``DATASET[/METHODS][@VARIANTS][?PROTOCOLS]``.

    The lists have commas, and ``_`` for a blank. Baselines of the data set with the
    methods' backbones are always selected, in all variants. ``;`` joins several markers.
    """
    results = list(results)
    runs = {id(result) for part in name.split(';') for result in _select_one(results, part)}
    return [result for result in results if id(result) in runs]


def _select_one(results: Iterable[Result], name: str) -> list[Result]:
    """Select the results of a marker of one data set."""
    name, _, protocols = name.partition('?')
    name, _, variants = name.partition('@')
    dataset, _, methods = name.partition('/')
    methods, variants = methods.replace('_', ' '), variants.replace('_', ' ')

    def matches(result: Result) -> bool:
        is_listed = not methods or result.method in methods.split(',')
        is_listed = is_listed and (not variants or result.variant in variants.split(','))
        return (
            result.dataset == dataset
            and (is_listed or result.method == BASELINE)
            and (not protocols or result.protocol in protocols.split(','))
        )

    chosen = [result for result in results if matches(result)]
    backbones = {result.backbone for result in chosen if result.method != BASELINE}
    return [result for result in chosen if not backbones or result.backbone in backbones]


def distinct(results: Iterable[Result], metric: str) -> list[Result]:
    """Select the results of one cell; a value that does not depend on the seed counts once."""
    chosen: list[Result] = []
    for result in results:
        if not any(_repeats(result, other, metric) for other in chosen):
            chosen.append(result)
    return chosen


def is_one_pretraining(cell: Sequence[Result]) -> bool:
    """True if several results have one checkpoint: no deviation over pre-trainings."""
    return len(cell) > 1 and len({result.checkpoint_hash for result in cell} - {RANDOM}) == 1


def make_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table: a row per method and variant, mean ± deviation over seeds in percent.

    Several data sets have a first column with their names, in the order of the marker. Students of
    different data sets or backbones have separate rows. The deviation is that of a sample (n - 1);
    one seed has none. Columns that the random encoder alone has are left out. ``name`` selects
    results, see :func:`select`.

    Raises:
        ConfigError: Two results of one column or row cannot be compared.
    """
    chosen = [result for result in select(results, name) if result.protocol != PRETEXT]
    compared = [result for result in chosen if result.method != BASELINE] or chosen
    columns = [column for column in COLUMNS if any(has_column(one, column) for one in compared)]
    cells: dict[Row, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    shown: dict[str, list[Result]] = defaultdict(list)
    for result in chosen:
        for column in columns:
            heading = column[0]
            if has_column(result, column):
                place = f'{name}, column {heading!r}'
                for other in cells[_row_of(result)][heading]:
                    check_comparable(place, other, result)
                for other in shown[heading]:
                    if other.dataset == result.dataset:
                        check_same_data(place, other, result)
                shown[heading].append(result)
                cells[_row_of(result)][heading].append(result)
    if not cells:
        return NO_RESULTS
    for row in cells.values():
        for heading, _, metric, _ in columns:
            if heading in row:
                row[heading] = distinct(row[heading], metric)
    backbones = sorted({backbone for *_, backbone in cells})
    datasets = list(dict.fromkeys(re.split('[/@?]', part)[0] for part in name.split(';')))
    labels = ['Data', 'Method'] if len(datasets) > 1 else ['Method']
    rows = [[*labels, *(heading for heading, *_ in columns)]]
    for key in sorted(cells, key=lambda key: (datasets.index(key[0]), _order(key))):
        label = next(iter(cells[key].values()))[0].label
        label += f' ({key[-1]})' if len(backbones) > 1 else ''
        texts = [
            format_cell([100 * result.metrics[metric] for result in cells[key][heading]])
            for heading, _, metric, _ in columns
        ]
        rows.append([*[key[0], label][-len(labels) :], *texts])
    return f'{_caption(chosen, backbones, cells.values())}\n\n{markdown(rows, len(labels))}'


def make_dependence_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of pretext tasks with a clip's own and with another clip's features.

    A row has a metric of a data set with both features, beside the trivial answer. The table is ''
    without any. Several methods, variants or backbones of a data set are named. ``name`` selects
    results, see :func:`select`.
    """
    groups: dict[Row, list[Result]] = defaultdict(list)
    for result in select(results, name):
        if result.protocol == PRETEXT and any(m.endswith(OTHER_CLIP) for m in result.metrics):
            groups[_row_of(result)].append(result)
    rows = [['Data', 'Task', 'Metric', 'Own clip', 'Another clip', 'Trivial answer']]
    sets = [row[0] for row in groups]
    for row, group in groups.items():
        data, method, variant, backbone = row
        if sets.count(data) > 1:
            data = f'{data}, {method}, {variant} ({backbone})'
        for result in group:
            check_comparable(f'{name}, dependence', group[0], result)
        metrics = dict.fromkeys(metric for result in group for metric in result.metrics)
        for metric in metrics:
            if metric + OTHER_CLIP in metrics:
                shown = (metric, metric + OTHER_CLIP, trivial_answer(metric, metrics))
                labels = [data, *metric.rsplit('/', 1)]
                rows.append([*labels, *(_metric_cell(group, key) for key in shown)])
    if not groups:
        return ''
    seeds = format_seeds([len(group) for group in groups.values()])
    caption = f'Metrics on test clips with the features of the clip and of another one, {seeds}.'
    return f'{caption}\n\n{markdown(rows, 3)}'


def _metric_cell(group: Sequence[Result], metric: str) -> str:
    """Format a metric of a group of results, with the number of finite values if some are NaN."""
    values = [r.metrics[metric] for r in group if metric in r.metrics]
    known = [value for value in values if not math.isnan(value)]  # NaN: no clip defines it
    few = (
        f' ({len(known)} of {format_seeds([len(values)])})' if 0 < len(known) < len(values) else ''
    )
    return format_cell(known, 4) + few


def _repeats(first: Result, second: Result, metric: str) -> bool:
    """True if two results are the same measurement of one checkpoint, independent of the seed."""
    return (
        first.checkpoint_hash == second.checkpoint_hash != RANDOM
        and first.metrics[metric] == second.metrics[metric]
        and not is_stochastic(first.protocol, first.label_fraction)
    )


def kind_of(result: Result) -> str:
    """Kind of a result's data."""
    return 'synthetic data' if result.synthetic else 'real data'


def check_comparable(place: str, first: Result, second: Result) -> None:
    """Raise ConfigError unless two results were measured in the same way on the same data.

    The settings of different backbones may differ, because they include the backbone.
    """
    what = ''
    if first.backbone == second.backbone and first.config_hash != second.config_hash:
        what = 'by different settings'
    _refuse(place, first, second, what)
    check_same_data(place, first, second)


def check_same_data(place: str, first: Result, second: Result) -> None:
    """Raise ConfigError unless two results were measured on the same data."""
    what = 'on different data' if first.data_version != second.data_version else ''
    _refuse(place, first, second, what)


def _refuse(place: str, first: Result, second: Result, what: str) -> None:
    if what:
        raise ConfigError(
            f'results of {place}: {first.run} and {second.run} were measured {what}; '
            'measure one again'
        )


def _row_of(result: Result) -> Row:
    return result.dataset, result.method, result.variant, result.backbone


def markdown(rows: Sequence[Sequence[str]], labels: int = 1) -> str:
    """Write rows of cells, the heading first, with all columns after the labels aligned right."""
    ruler = [*['---'] * labels, *['---:'] * (len(rows[0]) - labels)]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (rows[0], ruler, *rows[1:]))


def _order(row: Row) -> tuple:
    _, method, variant, *rest = row
    return method != BASELINE, method.lower(), variant != 'full', variant.lower(), *rest


def format_seeds(counts: Sequence[int]) -> str:
    """Format the cells' numbers of seeds, as ``1 to 3 seeds``."""
    text = ' to '.join(map(str, dict.fromkeys((min(counts), max(counts)))))
    return f'{text} seed' if text == '1' else f'{text} seeds'


def _caption(
    chosen: Sequence[Result], backbones: Sequence[str], rows: Iterable[Mapping[str, list[Result]]]
) -> str:
    """Describe the measurement, the kind of data and the numbers of seeds."""
    filled = [{heading: cell for heading, cell in row.items() if cell} for row in rows]
    data = ', '.join(sorted({f'{result.dataset} ({kind_of(result)})' for result in chosen}))
    backbone = backbones[0] if len(backbones) == 1 else 'backbone in brackets'
    seeds = format_seeds([len(cell) for row in filled for cell in row.values()])
    spread = '' if seeds == '1 seed' else ' ± deviation'
    shown = {heading for row in filled for heading in row}
    kinds = {
        'recall' if metric.startswith('recall') else 'top-1 accuracy'
        for heading, _, metric, _ in COLUMNS
        if heading in shown
    }
    measures = ' and '.join(sorted(kinds, reverse=True)).capitalize()
    caption = f'{measures} in %, {data}, {backbone}, mean{spread} over {seeds}.'
    # Name the deviations that do not include different pre-trainings.
    once: dict[str, set[str]] = defaultdict(set)
    mixed = set()
    for row in filled:
        weights = defaultdict(set)
        for result in (result for cell in row.values() for result in cell):
            weights[result.seed].add(result.checkpoint_hash)
        if any(len(files) > 1 for files in weights.values()):
            mixed.add(result.label)
        several = {heading: cell for heading, cell in row.items() if len(cell) > 1}
        alone = [heading for heading, cell in several.items() if is_one_pretraining(cell)]
        if alone:
            where = f'column{"s" if len(alone) > 1 else ""} *{_listed(alone, "*")}*'
            where = 'all columns' if len(alone) == len(several) else where
            once[where].add(several[alone[0]][0].method)
    if once:
        groups = sorted(f'{_listed(sorted(methods))} ({where})' for where, methods in once.items())
        caption += (
            ' One pre-training, so ± leaves out variation between pre-trainings: '
            f'{"; ".join(groups)}.'
        )
    if mixed:
        caption += (
            ' The columns of one seed come from more than one checkpoint: '
            f'{"; ".join(sorted(mixed))}.'
        )
    return caption


def _listed(names: Sequence[str], mark: str = '') -> str:
    """Join names as ``a, b and c``, with ``mark`` around the separators."""
    *first, last = names
    return f'{mark} and {mark}'.join([f'{mark}, {mark}'.join(first), last] if first else [last])
