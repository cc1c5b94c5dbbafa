"""Results in ``model-index.yml``, made from the results as the tables of the docs are."""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmengine.config import Config

from mmact_ssl.errors import DataError
from mmact_ssl.reporting.result import Result, result_file
from mmact_ssl.reporting.study import runs_of
from mmact_ssl.reporting.tables import COLUMNS

MODEL = re.compile(r'^  - Name: \S+\n    Config: (?P<config>\S+)\n(?:    .*\n)*', re.MULTILINE)
RESULTS = re.compile(r'^    Results:\n(?:      .*\n)*', re.MULTILINE)


def results_by_config(
    studies: Iterable[str | os.PathLike], results: Sequence[Result]
) -> dict[str, list[Result]]:
    """Find the results of each pre-training config that was trained without other options.

    Args:
        studies: Configs of studies, which name the config of each method and data set.
        results: All.

    Returns:
        Config -> results on the set of its pre-training; none of runs with options of their own.
    """
    found: dict[str, list[Result]] = {}
    for path in studies:
        study = Config.fromfile(path)
        for run in runs_of(study):
            if run.get('pretrain') is None or run.get('cfg_options'):
                continue
            name = (run['method'], run.get('variant', 'full'), study.dataset)
            found[run['pretrain']] = [
                result
                for result in results
                if (result.method, result.variant, result.dataset) == name
                and not result.transferred
            ]
    return found


def result_block(results: Sequence[Result]) -> str:
    """Write one model's results as YAML: means over seeds in percent, by the tables' headings.

    Nothing where no column of the tables has a value.
    """
    metrics, seeds = [], set()
    for heading, protocol, metric, fraction in COLUMNS:
        column = [r for r in results if (r.protocol, r.label_fraction) == (protocol, fraction)]
        if column:
            mean = 100 * statistics.mean(result.metrics[metric] for result in column)
            metrics.append(f'          {heading}: {mean:.1f}\n')
            seeds |= {result.seed for result in column}
    if not metrics:
        return ''
    first = results[0]
    kind = 'synthetic' if first.synthetic else 'real'
    source = result_file('results', first.dataset, first.method).as_posix()
    return (
        '    Results:\n'
        '      - Task: Action Recognition\n'
        f'        Dataset: {first.dataset} ({kind} data)\n'
        f'        Metrics:\n{"".join(metrics)}'
        f'        Seeds: {len(seeds)}\n'
        f'        Source: {source}\n'
    )


def update_model_index(
    path: str | os.PathLike, found: dict[str, list[Result]], write: bool = True
) -> bool:
    """Renew the results in an index, and nothing else of it.

    Args:
        path: ``model-index.yml``; each model's second line is its ``Config``.
        found: Of :func:`results_by_config`.
        write: False: only compare.

    Returns:
        Whether the index had other results.

    Raises:
        DataError: The file is missing.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f'{file}: no such file; give the model index')
    text = file.read_text(encoding='utf-8')

    def renew(match: re.Match) -> str:
        return RESULTS.sub('', match.group()) + result_block(found.get(match['config'], []))

    new = MODEL.sub(renew, text)
    if write and new != text:
        file.write_text(new, encoding='utf-8')
    return new != text
