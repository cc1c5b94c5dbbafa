"""Results in ``model-index.yml``, written from the results like the tables of the docs."""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Iterable, Sequence

from mmengine.config import Config

from mmact_ssl.evaluation.results import Result
from research.headings import COLUMNS, has_column
from research.markers import renew_file
from research.study import runs_of
from research.tables import distinct, kind_of

# The entry of a config has its name; those of published models have another and no results.
MODEL = re.compile(
    r'^  - Name: (?P<name>\S+)\n    Config: (?P<config>configs/(?P=name)\.py)\n(?:    .*\n)*',
    re.MULTILINE,
)
RESULTS = re.compile(r'^    Results:\n(?:      .*\n)*', re.MULTILINE)


def results_by_config(
    studies: Iterable[str | os.PathLike], results: Sequence[Result]
) -> dict[str, list[list[Result]]]:
    """Find the results of each pre-training config in studies, on the data sets that it trained on.

    Runs with ``cfg_options`` are left out. Of several runs of a config the variant ``full`` counts.
    """
    runs = [
        (run['pretrain'], (run['method'], run.get('variant', 'full'), study.dataset))
        for study in map(Config.fromfile, studies)
        for run in runs_of(study)
        if run.get('pretrain') and not run.get('cfg_options')
    ]
    by_config: dict[str, dict[str, list[Result]]] = {}
    for config, name in sorted(runs, key=lambda run: run[1][1] == 'full'):
        found = [
            result for result in results if (result.method, result.variant, result.dataset) == name
        ]
        if found:
            by_config.setdefault(config, {})[name[2]] = found
    return {config: list(sets.values()) for config, sets in by_config.items()}


def result_block(results: Sequence[Result]) -> str:
    """Format a model's results on a set as YAML: means over seeds in percent, by their headings.

    '' if no column of the tables has a value.
    """
    metrics, counts = [], []
    for column in COLUMNS:
        heading, _, metric, _ = column
        measured = [result for result in results if has_column(result, column)]
        if measured:
            measured = distinct(measured, metric)
            mean = 100 * statistics.mean(result.metrics[metric] for result in measured)
            metrics.append(f'          {heading}: {mean:.1f}\n')
            counts.append(len(measured))
    if not metrics:
        return ''
    first = results[0]
    return (
        '      - Task: Action Recognition\n'
        f'        Dataset: {first.dataset} ({kind_of(first)})\n'
        f'        Metrics:\n{"".join(metrics)}'
        f'        Seeds: {" to ".join(map(str, sorted({min(counts), max(counts)})))}\n'
    )


def update_model_index(
    path: str | os.PathLike, by_config: dict[str, list[list[Result]]], write: bool = True
) -> bool:
    """Renew the results of :func:`results_by_config` in an index, see :func:`renew_file`."""

    def renew(match: re.Match) -> str:
        blocks = ''.join(map(result_block, by_config.get(match['config'], [])))
        return RESULTS.sub('', match.group()) + (f'    Results:\n{blocks}' if blocks else '')

    return renew_file(path, lambda text: MODEL.sub(renew, text), write)
