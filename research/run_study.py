#!/usr/bin/env python
"""Run a study: ``python research/run_study.py research/studies/csvr_demo.py --jobs 2``.

Pre-trains and evaluates every variant and seed. It skips steps with results and resumes an
interrupted pre-training, so the same command continues a stopped study.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('study', help='config, research/studies/*.py')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time, one thread each')
    parser.add_argument('--work-dir', help='work_dirs/<name of the study> by default')
    parser.add_argument('--results', default='research/results', help='folder of the results')
    parser.add_argument('--variants', nargs='*', help='only these, e.g. full no-pose')
    parser.add_argument('--methods', nargs='*', help='only these, e.g. CSVR')
    parser.add_argument('--seeds', nargs='+', type=int, help="only these of the study's")
    parser.add_argument('--dry-run', action='store_true', help='print the steps to do')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        metavar='KEY=VALUE',
        help="of the study: dataset, seeds or runs; a training's stand in cfg_options of its run",
    )
    return parser.parse_args(argv)


def load_study(args: argparse.Namespace) -> Config:
    """Read the study, and select the runs of the command line."""
    from mmact_ssl.engine.config_reading import parse_cfg_options, read_config
    from mmact_ssl.errors import ConfigError
    from research.study import STUDY_KEYS

    for option in args.cfg_options or ():
        key = option.partition('=')[0]
        if key.partition('.')[0] not in STUDY_KEYS:
            raise ConfigError(
                f'--cfg-options {key}: a study reads {", ".join(STUDY_KEYS)}; options of a '
                'training stand in cfg_options of a run'
            )
    study = read_config(args.study)
    study.merge_from_dict(parse_cfg_options(args.cfg_options))
    if 'runs' not in study:
        raise ConfigError(f'{args.study}: not a study, it lists no `runs`; see research/studies/')
    runs = choose_runs(study.runs, '--methods', args.methods)
    runs = choose_runs(runs, '--variants', args.variants)
    if args.seeds:
        runs = choose_seeds(runs, study, args.seeds)
    study.runs = runs
    return study


def choose_runs(runs: list[dict], option: str, names: list[str] | None) -> list[dict]:
    """Select the runs whose method or variant an option names; all without the option."""
    from mmact_ssl.errors import ConfigError

    if names is None:
        return runs
    key, default = {'--methods': ('method', ''), '--variants': ('variant', 'full')}[option]
    known = {run.get(key, default): None for run in runs}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(f'{" ".join([option, *unknown])}: there are {", ".join(known)}')
    return [run for run in runs if run.get(key, default) in names]


def choose_seeds(runs: list[dict], study: Config, seeds: list[int]) -> list[dict]:
    """Select the runs with some of the seeds, and only these seeds."""
    from mmact_ssl.errors import ConfigError

    own = [(run, run.get('seeds', study.get('seeds', ()))) for run in runs]
    chosen = [{**run, 'seeds': [seed for seed in has if seed in seeds]} for run, has in own]
    left = [run for run in chosen if run['seeds']]
    if not left:
        known = sorted({seed for _, has in own for seed in has})
        raise ConfigError(
            f'{study.filename}: no run has --seeds {" ".join(map(str, seeds))}, they have '
            f'{", ".join(map(str, known))}; others with --cfg-options "seeds=({seeds[0]},)"'
        )
    return left


def table_of(study: Config, results: Path) -> str:
    """The study's rows in a folder of results, beside the random start, as on the pages."""
    from mmact_ssl.evaluation.results import read_results
    from research.tables import make_table

    parts = [run for run in study.runs for run in (run, *run['evaluations'])]
    methods, variants = (
        ','.join(dict.fromkeys(part.get(key, default) for part in parts if key in part or default))
        for key, default in (('method', ''), ('variant', 'full'))
    )
    marker = f'{study.dataset}/{methods.replace(" ", "_")}@{variants}'
    return make_table(read_results(results), marker)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmengine.logging import MMLogger

    from mmact_ssl.engine.terminal import quiet_the_screen
    from mmact_ssl.errors import one_line_errors
    from research.steps import run_study
    from research.study import plan_study

    quiet_the_screen(MMLogger.get_current_instance())
    with one_line_errors():
        study = load_study(args)
        work_dir = Path(args.work_dir or f'work_dirs/{Path(args.study).stem}').resolve()
        results = Path(args.results).resolve()
        chains = plan_study(study, str(work_dir), str(results), str(ROOT))
        if args.dry_run:
            for chain in chains:
                todo = chain.todo
                for step in chain.steps:
                    print(f'{"to do" if step in todo else "done "}  {step.name}')
            return
        failed = run_study(chains, args.jobs, str(ROOT), lambda line: print(line, flush=True))
        print(table_of(study, results))
    if failed:
        raise SystemExit(f'error: {len(failed)} of {len(chains)} runs failed, see the logs above')


if __name__ == '__main__':
    main()
