"""Tables of README and docs, made from the result files between markers."""

from __future__ import annotations

import os
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.pretext_result import PROTOCOL as PRETEXT
from mmact_ssl.evaluation.pretext_result import with_trivial
from mmact_ssl.evaluation.result import Result

# (heading, protocol, metric, label fraction), in the order of the tables.
COLUMNS: tuple[tuple[str, str, str, float], ...] = (
    ('Linear', 'linear', 'top1', 1.0),
    ('Linear, 1 %', 'linear', 'top1', 0.01),
    ('Linear, 5 %', 'linear', 'top1', 0.05),
    ('Linear, 10 %', 'linear', 'top1', 0.1),
    ('Linear, 20 %', 'linear', 'top1', 0.2),
    ('Linear, 40 %', 'linear', 'top1', 0.4),
    ('Linear (Adam)', 'linear-sgd', 'top1', 1.0),
    ('kNN', 'knn', 'top1', 1.0),
    ('R@1', 'retrieval', 'recall@1', 1.0),
    ('R@5', 'retrieval', 'recall@5', 1.0),
    ('R@10', 'retrieval', 'recall@10', 1.0),
    ('R@20', 'retrieval', 'recall@20', 1.0),
    ('R@50', 'retrieval', 'recall@50', 1.0),
    ('Fine-tuned, 1 %', 'finetune', 'top1', 0.01),
    ('Fine-tuned, 5 %', 'finetune', 'top1', 0.05),
    ('Fine-tuned, 10 %', 'finetune', 'top1', 0.1),
    ('Fine-tuned, 20 %', 'finetune', 'top1', 0.2),
    ('Fine-tuned, 40 %', 'finetune', 'top1', 0.4),
    ('Fine-tuned', 'finetune', 'top1', 1.0),
    ('Joint, 10 %', 'joint', 'top1', 0.1),
    ('Joint', 'joint', 'top1', 1.0),
    ('Zero-shot', 'zeroshot', 'top1', 1.0),
    ('Text R@1', 'text-retrieval', 'recall@1', 1.0),
    ('Text R@5', 'text-retrieval', 'recall@5', 1.0),
    ('Text R@10', 'text-retrieval', 'recall@10', 1.0),
)
# A row: data set, method, variant, data set of pre-training where it is another, backbone.
Row = tuple[str, str, str, str, str]
# Rows that go first, whatever the alphabet says: what a method is compared with.
FIRST_METHODS = ('Random init',)
FIRST_VARIANTS = ('full',)
MARKER = re.compile(
    r'(?P<open><!-- (?P<kind>results|pretext):(?P<name>\S+) -->)\n.*?'
    r'(?P<close><!-- /(?P=kind):(?P=name) -->)',
    re.DOTALL,
)
ANY_MARKER = re.compile(r'<!-- /?(results|pretext):\S+ -->')


def read_results(folder: str | os.PathLike) -> list[Result]:
    """Read every ``*.json`` of a folder, by name.

    Raises:
        DataError: A file is not a result.
    """
    return [Result.read(path) for path in sorted(Path(folder).glob('*.json'))]


def select(results: Iterable[Result], name: str) -> list[Result]:
    """Pick the results of a marker ``DATASET[/METHODS][@VARIANTS][?PROTOCOLS]``.

    Each is a list with commas. Methods are written with ``_`` for a blank; the baselines of the
    data set always belong, whatever their variant, for the backbones of the methods. Several
    markers may be joined by ``;``.
    """
    parts = [_select_one(results, part) for part in name.split(';')]
    wanted = {id(result) for part in parts for result in part}
    return [result for result in results if id(result) in wanted]


def _select_one(results: Iterable[Result], name: str) -> list[Result]:
    """Pick the results of a marker of one data set."""
    name, _, protocols = name.partition('?')
    name, _, variants = name.partition('@')
    dataset, _, methods = name.partition('/')
    wanted = {method.replace('_', ' ') for method in methods.split(',')} if methods else None
    chosen = [
        result
        for result in results
        if result.dataset == dataset
        and (wanted is None or result.method in wanted or result.method in FIRST_METHODS)
        and (
            not variants or result.variant in variants.split(',') or result.method in FIRST_METHODS
        )
        and (not protocols or result.protocol in protocols.split(','))
    ]
    backbones = {result.backbone for result in chosen if result.method not in FIRST_METHODS}
    return [result for result in chosen if not backbones or result.backbone in backbones]


def row_of(result: Result) -> Row:
    """Return the row of the tables that a result belongs to."""
    source = result.pretrained_on if result.transferred else ''
    return result.dataset, result.method, result.variant, source, result.backbone


def make_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table: a row per method and variant, mean ± deviation over seeds in percent.

    Several data sets are told apart in the first column and stand in the order of the marker.
    A student of another data set has a row of its own, and so has another backbone, which is named
    then. The deviation is that of a sample (n - 1); a value of one seed has none. Columns without
    any value are left out.

    Args:
        results: All; those of ``name`` are selected.
        name: Of the marker.

    Returns:
        The table with a caption, ending in a newline.

    Raises:
        ConfigError: Two results of one column were measured by different settings, on different
            data or with different contents of a cache, or two of a row of different encoders of
            their checkpoints. Backbones may differ in their settings, since these hold the
            backbone itself.
    """
    chosen = [result for result in select(results, name) if result.protocol != PRETEXT]
    cells: dict[Row, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    shown: dict[str, list[Result]] = defaultdict(list)
    for result in chosen:
        for heading, protocol, _, fraction in COLUMNS:
            if (result.protocol, result.label_fraction) != (protocol, fraction):
                continue
            for other in shown[heading]:
                if other.dataset == result.dataset:
                    _check_comparable(name, heading, other, result)
            shown[heading].append(result)
            cells[row_of(result)][heading].append(result)
    if not cells:
        return '*No results yet.*\n'
    columns = [column for column in COLUMNS if column[0] in shown]
    backbones = sorted({backbone for *_, backbone in cells})
    datasets = list(dict.fromkeys(re.split('[/@?]', part)[0] for part in name.split(';')))
    first = ['Data', 'Method'] if len(datasets) > 1 else ['Method']
    rows = [
        _row([*first, *(heading for heading, *_ in columns)]),
        _row([*(['---'] * len(first)), *(['---:'] * len(columns))]),
    ]
    for key in sorted(cells, key=lambda key: (datasets.index(key[0]), _order(key))):
        texts = [
            format_cell([100 * result.metrics[metric] for result in cells[key][heading]])
            for heading, _, metric, _ in columns
        ]
        labels = [key[0], _label(key, len(backbones) > 1)]
        rows.append(_row([*labels[-len(first) :], *texts]))
    filled = [cell for row in cells.values() for cell in row.values() if cell]
    return f'{_caption(chosen, backbones, filled)}\n\n' + '\n'.join(rows) + '\n'


def _check_comparable(name: str, heading: str, one: Result, other: Result) -> None:
    """Refuse two results in one column unless they were measured alike."""
    what = ''
    if one.backbone != other.backbone:
        what = '' if one.data_version == other.data_version else 'on different data'
    elif one.config_hash != other.config_hash:
        what = 'by different settings'
    if row_of(one) == row_of(other) and one.prefix != other.prefix:
        what = f'of different encoders (--prefix {one.prefix!r}, {other.prefix!r})'
    what = what or _differing_cache(one, other)
    if what:
        raise ConfigError(
            f'results of {name}, column {heading!r}: {one.file_name} and {other.file_name} were '
            f'measured {what}; measure one again'
        )


def _differing_cache(one: Result, other: Result) -> str:
    """Name a cache that two results read in different versions; '' where there is none.

    Results of earlier versions do not say which they read: they are taken as they are.
    """
    shared = sorted(set(one.caches) & set(other.caches))
    differing = [path for path in shared if one.caches[path] != other.caches[path]]
    return f'with different contents of {differing[0]}' if differing else ''


def make_pretext_table(results: Sequence[Result], name: str) -> str:
    """Write a Markdown table of one method's pretext tasks beside their trivial answers.

    Each variant has a column; the trivial answers are those of the first.

    Args:
        results: All; those of ``name`` and the protocol 'pretext' are selected.
        name: ``DATASET/METHOD`` of the marker.

    Returns:
        The table with a caption, ending in a newline.

    Raises:
        ConfigError: Two results of a variant were measured by different settings, or with
            different contents of a cache.
    """
    variants: dict[str, list[Result]] = defaultdict(list)
    chosen = [result for result in select(results, name) if result.protocol == PRETEXT]
    for result in sorted(chosen, key=lambda r: (r.variant not in FIRST_VARIANTS, r.variant)):
        variants[result.variant].append(result)
        first = variants[result.variant][0]
        what = '' if result.config_hash == first.config_hash else 'by different settings'
        what = what or _differing_cache(first, result)
        if what:
            raise ConfigError(
                f'pretext results of {name}: {first.file_name} and {result.file_name} were '
                f'measured {what}; measure one again'
            )
    if not variants:
        return '*No results yet.*\n'
    columns = ['Value'] if len(variants) == 1 else list(variants)
    rows = [
        _row(['Metric', *columns, 'Trivial answer']),
        _row(['---', *['---:'] * (len(columns) + 1)]),
    ]
    metrics = dict.fromkeys(metric for result in chosen for metric in result.metrics)
    for metric, trivial in with_trivial(list(metrics)):
        cells = [_plain_cell(found, metric) for found in variants.values()]
        first_variant = next(iter(variants.values()))
        rows.append(_row([metric, *cells, _plain_cell(first_variant, trivial)]))
    first = chosen[0]
    kind = 'synthetic data' if first.synthetic else 'real data'
    counts = sorted({len(found) for found in variants.values()})
    seeds = ' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    plural = '' if seeds == '1' else 's'
    caption = f'{first.method} on the test split of {first.dataset} ({kind})'
    return f'{caption}, {seeds} seed{plural}.\n\n' + '\n'.join(rows) + '\n'


def _plain_cell(results: Sequence[Result], metric: str | None) -> str:
    """Write a metric of several seeds as ``mean ± deviation``, four decimals."""
    values = [result.metrics[metric] for result in results if metric in result.metrics]
    if not values:
        return '-'
    mean = f'{statistics.mean(values):.4f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.4f}'


def format_cell(values: Sequence[float]) -> str:
    """Write percentages of several seeds as ``mean ± deviation``, one decimal each."""
    if not values:
        return '-'
    mean = f'{statistics.mean(values):.1f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.1f}'


def fill(text: str, results: Sequence[Result], file: str = 'text') -> str:
    """Put the tables between the markers ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``.

    Those between ``<!-- pretext:NAME -->`` and its partner are of the pretext tasks.

    Args:
        text: Markdown.
        results: All results.
        file: For errors.

    Returns:
        The text with its tables renewed.

    Raises:
        ConfigError: A marker is not closed, or settings differ in a column.
    """
    paired = [match.group(part) for match in MARKER.finditer(text) for part in ('open', 'close')]
    found = [match.group() for match in ANY_MARKER.finditer(text)]
    single = [marker for marker in found if marker not in paired]
    if single:
        raise ConfigError(f'{file}: {single[0]} has no partner; tables stand between two markers')

    def table(match: re.Match) -> str:
        make = make_table if match['kind'] == 'results' else make_pretext_table
        return f'{match["open"]}\n{make(results, match["name"])}{match["close"]}'

    return MARKER.sub(table, text)


def update_files(
    files: Iterable[str | os.PathLike], results: Sequence[Result], write: bool = True
) -> list[Path]:
    """Renew the tables of files.

    Args:
        files: Markdown files.
        results: All results.
        write: False: only compare.

    Returns:
        The files whose tables were not those of the results.

    Raises:
        DataError: A file is missing.
    """
    stale = []
    for file in map(Path, files):
        if not file.is_file():
            raise DataError(f'{file}: no such file; give Markdown files with result markers')
        text = file.read_text(encoding='utf-8')
        new = fill(text, results, str(file))
        if new != text:
            stale.append(file)
            if write:
                file.write_text(new, encoding='utf-8')
    return stale


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _label(row: Row, name_backbone: bool) -> str:
    _, method, variant, source, backbone = row
    label = method if variant == 'full' else f'{method}, {variant}'
    label += f', pre-trained on {source}' if source else ''
    return f'{label} ({backbone})' if name_backbone else label


def _order(row: Row) -> tuple:
    _, method, variant, source, backbone = row
    return (
        method not in FIRST_METHODS,
        method.lower(),
        variant not in FIRST_VARIANTS,
        variant.lower(),
        source,
        backbone,
    )


def _caption(
    chosen: Sequence[Result], backbones: Sequence[str], cells: Sequence[Sequence[Result]]
) -> str:
    """Name what was measured, whether data is synthetic, and the number of seeds."""
    kinds = {
        result.dataset: 'synthetic data' if result.synthetic else 'real data' for result in chosen
    }
    data = ', '.join(f'{dataset} ({kind})' for dataset, kind in sorted(kinds.items()))
    backbone = backbones[0] if len(backbones) == 1 else 'backbone in brackets'
    counts = sorted({len(cell) for cell in cells})
    seeds = f'{counts[0]}' if len(counts) == 1 else f'{counts[0]} to {counts[-1]}'
    plural = '' if seeds == '1' else 's'
    spread = '' if seeds == '1' else ' ± deviation'
    caption = (
        f'Top-1 accuracy and recall in %, {data}, {backbone}, '
        f'mean{spread} over {seeds} seed{plural}.'
    )
    # A deviation that leaves out the largest part must not pass for one of the whole method.
    once = {
        cell[0].method
        for cell in cells
        if len(cell) > 1 and len({result.checkpoint_hash for result in cell} - {'random'}) == 1
    }
    if once:
        caption += (
            f' {", ".join(sorted(once))}: pre-trained once, so that the deviation is that of the '
            'drawn labels and of training on them.'
        )
    return caption
