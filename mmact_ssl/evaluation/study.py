"""A study: pre-trainings and evaluations for several variants and seeds, as resumable steps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_result import PROTOCOL as PRETEXT
from mmact_ssl.evaluation.protocols import plan_protocols
from mmact_ssl.evaluation.result import result_file_name
from mmact_ssl.evaluation.study_record import claim, training_record

RUN_KEYS = {'method', 'variant', 'pretrain', 'cfg_options', 'evaluations', 'seeds'}
EVALUATION_KEYS = {'protocols', 'config', 'cfg_options', 'label_fraction', 'dataset'}
FINISHED = 'pretraining_finished'


@dataclass
class Step:
    """One subprocess.

    Attributes:
        name: For the display.
        command: Builds the arguments when the step starts, since earlier steps decide some of them.
        outputs: Files that exist once the step is done; it is skipped where all do.
        log: Receives its output.
        marker: Written when it succeeds; for programs that do not write their result at the end.
    """

    name: str
    command: Callable[[], list[str]]
    outputs: list[Path]
    log: Path
    marker: Path | None = None

    @property
    def done(self) -> bool:
        """Whether all outputs are there."""
        return all(output.exists() for output in self.outputs)


@dataclass
class Chain:
    """Steps of one variant and seed, which run in order.

    Attributes:
        name: For the display.
        steps: In order.
        failed: The log of the step that failed.
    """

    name: str
    steps: list[Step] = field(default_factory=list)
    failed: Path | None = None

    @property
    def todo(self) -> list[Step]:
        """Steps that are left; no pre-training whose results are all there, though it be gone."""
        left = [step for step in self.steps if not step.done]
        results = [step for step in self.steps if step.marker is None]
        return [] if results and all(step.done for step in results) else left


def plan_study(study: Config, work_dir: str, results: str, root: str) -> list[Chain]:
    """Turn a study's config into chains of steps.

    Args:
        study: Has ``dataset``, ``seeds`` and ``runs``: dicts of ``method``, ``variant``,
            ``pretrain`` (config, or None for a random encoder), ``cfg_options`` (strings for
            ``tools/train.py``, in which ``{seed}`` stands for the seed), ``evaluations`` (dicts of
            ``protocols``, ``config``, ``cfg_options`` for the tool that evaluates,
            ``label_fraction`` and, for transfer to another data set than the study's, ``dataset``)
            and, in place of the study's, ``seeds``. ``{dataset}`` anywhere in a run stands for the
            study's, so that a study of another set inherits the runs.
        work_dir: Of pre-training and fine-tuning.
        results: Folder of the JSON files.
        root: Folder with ``tools/``.

    Returns:
        One chain per run and seed; seed by seed, so that a stopped study has whole rows.

    Raises:
        ConfigError: A key is unknown or missing, a config does not exist, or two steps would write
            one file.
    """
    for key in ('dataset', 'seeds', 'runs'):
        if key not in study:
            raise ConfigError(f'{study.filename}: a study needs {key}; see docs/evaluation.md')
    runs = runs_of(study)
    for run in runs:
        _check(run, study.filename, root)
    seeds = sorted({seed for run in runs for seed in run.get('seeds', study.seeds)})
    chains = [
        _plan_run(run, seed, study.dataset, Path(work_dir), Path(results), root)
        for seed in seeds
        for run in runs
        if seed in run.get('seeds', study.seeds)
    ]
    _check_files(chains, study.filename)
    return chains


def runs_of(study: Config) -> list[dict]:
    """List a study's runs, with its data set's name in place of ``{dataset}``."""
    return [_of_dataset(run, study.dataset) for run in study.runs]


def _of_dataset(part: Any, dataset: str) -> Any:
    """Put the data set's name in the place of ``{dataset}`` in every string."""
    if isinstance(part, str):
        return part.replace('{dataset}', dataset)
    if isinstance(part, dict):
        return {key: _of_dataset(value, dataset) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_of_dataset(value, dataset) for value in part]
    return part


def _check(run: dict, filename: str, root: str) -> None:
    missing = {'method', 'evaluations'} - set(run)
    unknown = set(run) - RUN_KEYS
    for evaluation in run.get('evaluations', []):
        missing |= {'protocols', 'config'} - set(evaluation)
        unknown |= set(evaluation) - EVALUATION_KEYS
    if missing or unknown:
        raise ConfigError(
            f'{filename}: run {run.get("method")!r} {run.get("variant", "full")!r}: '
            f'missing {sorted(missing)}, unknown {sorted(unknown)}; see docs/evaluation.md'
        )
    configs = [run.get('pretrain')] + [evaluation['config'] for evaluation in run['evaluations']]
    for config in configs:
        if config is not None and not (Path(root) / config).is_file():
            raise ConfigError(f'{filename}: {config}: no such config')


def _check_files(chains: Sequence[Chain], filename: str) -> None:
    """Refuse two steps of which the second would find its files done by the first."""
    writers: dict[Path, Step] = {}
    for chain in chains:
        for step in chain.steps:
            for path in (*step.outputs, step.log):
                other = writers.setdefault(path, step)
                if other is not step:
                    raise ConfigError(
                        f'{filename}: {other.name!r} and {step.name!r} would both write {path}; '
                        'give one of them another method or variant'
                    )


def _plan_run(
    run: dict, seed: int, dataset: str, work_dir: Path, results: Path, root: str
) -> Chain:
    method, variant = run['method'], run.get('variant', 'full')
    chain = Chain(f'{method} {variant} seed {seed}')
    folder = work_dir / f'{method}_{variant}_seed{seed}'.lower().replace(' ', '-')

    def trained() -> str:
        """The checkpoint, if it is of this run."""
        claim(folder, training_record(root, run['pretrain'], _options(run, seed), dataset))
        return last_checkpoint(folder)

    if run.get('pretrain') is not None:
        options = _options(run, seed)
        finished = folder / FINISHED

        def pretrain() -> list[str]:
            claim(folder, training_record(root, run['pretrain'], options, dataset))
            command = ['tools/train.py', run['pretrain'], '--work-dir', str(folder)]
            command += ['--seed', str(seed)]
            if (folder / 'last_checkpoint').exists():
                command.append('--resume')
            return command + _cfg_options(options)

        name = f'{chain.name}: pre-training'
        log = folder / 'pretraining.txt'
        chain.steps.append(Step(name, pretrain, [finished], log, marker=finished))
    for evaluation in run['evaluations']:
        if evaluation['protocols'] == PRETEXT:
            chain.steps.append(
                _plan_pretext(run, evaluation, seed, dataset, folder, results, trained)
            )
            continue
        given = evaluation.get('label_fraction')
        plan = plan_protocols(evaluation['protocols'], () if given is None else (float(given),))
        target = evaluation.get('dataset', dataset)
        source = '' if run.get('pretrain') is None or target == dataset else dataset
        outputs = [
            results / result_file_name(method, variant, target, protocol, fraction, seed, source)
            for fraction, protocols in plan.items()
            for protocol in protocols
        ]
        arguments = [] if given is None else ['--label-fraction', str(given)]
        arguments += ['--pretrained-on', source] if source else []
        stem = evaluation['protocols'].replace(' ', '').replace(',', '-')
        stem += f'_{100 * given:g}pct' if given is not None and given != 1 else ''
        stem += f'_{target}' if target != dataset else ''

        def evaluate(
            evaluation: dict = evaluation, stem: str = stem, arguments: list[str] = arguments
        ) -> list[str]:
            command = ['tools/evaluate.py', evaluation['protocols'], evaluation['config']]
            command.append('--random' if run.get('pretrain') is None else trained())
            command += ['--method', method, '--variant', variant, '--seed', str(seed), *arguments]
            command += ['--out', str(results), '--work-dir', str(folder / stem)]
            return command + _cfg_options(_options(evaluation, seed))

        name = f'{chain.name}: {evaluation["protocols"].replace(",", ", ")}'
        name += f' with {100 * given:g} % of the labels' if given is not None and given != 1 else ''
        name += f' on {target}' if target != dataset else ''
        chain.steps.append(Step(name, evaluate, outputs, folder / f'{stem}.txt'))
    return chain


def _options(part: dict, seed: int) -> list[str]:
    """Options of a run or an evaluation, for one seed."""
    return [option.replace('{seed}', str(seed)) for option in part.get('cfg_options', [])]


def _cfg_options(options: list[str]) -> list[str]:
    return ['--cfg-options', *options] if options else []


def _plan_pretext(
    run: dict,
    evaluation: dict,
    seed: int,
    dataset: str,
    folder: Path,
    results: Path,
    trained: Callable[[], str],
) -> Step:
    """Plan the test of the pretext tasks, with the config that they were trained with."""
    method, variant = run['method'], run.get('variant', 'full')

    def test() -> list[str]:
        command = ['tools/test.py', evaluation['config'], trained()]
        command += ['--method', method]
        command += ['--variant', variant, '--seed', str(seed), '--out', str(results)]
        command += ['--work-dir', str(folder / PRETEXT)]
        return command + _cfg_options(_options(run, seed) + _options(evaluation, seed))

    output = results / result_file_name(method, variant, dataset, PRETEXT, 1.0, seed)
    name = f'{method} {variant} seed {seed}: {PRETEXT}'
    return Step(name, test, [output], folder / f'{PRETEXT}.txt')


def last_checkpoint(folder: Path) -> str:
    """Return the checkpoint that a finished pre-training left.

    Raises:
        ConfigError: There is none.
    """
    pointer = folder / 'last_checkpoint'
    if not pointer.is_file():
        raise ConfigError(f'{pointer}: pre-training left no checkpoint; delete {folder} and rerun')
    return pointer.read_text(encoding='utf-8').strip()


def run_study(
    chains: Sequence[Chain], jobs: int, root: str, report: Callable[[str], Any] = print
) -> list[Chain]:
    """Run chains side by side, each step in a process of one thread; what is done is skipped.

    Args:
        chains: Of :func:`plan_study`.
        jobs: Chains at a time.
        root: Folder to run in.
        report: Called with a line per started and finished step.

    Returns:
        The chains that failed; the others were run to their end.
    """
    todo = [step for chain in chains for step in chain.todo]
    total = sum(len(chain.steps) for chain in chains)
    report(f'{total} steps, {total - len(todo)} done before, {len(todo)} to do, {jobs} at a time')
    started, lock = time.monotonic(), Lock()
    finished: list[Step] = []

    def run_chain(chain: Chain) -> Chain:
        for step in chain.todo:
            report(f'start  {step.name}')
            begin = time.monotonic()
            if not run_step(step, root):
                chain.failed = step.log
                report(f'FAILED {step.name}: see {step.log}')
                return chain
            with lock:
                finished.append(step)
                elapsed = time.monotonic() - started
                left = elapsed / len(finished) * (len(todo) - len(finished))
            report(
                f'done   {step.name} in {_duration(time.monotonic() - begin)}; '
                f'{len(finished)} of {len(todo)}, about {_duration(left)} left'
            )
        return chain

    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        ended = [future.result() for future in [pool.submit(run_chain, chain) for chain in chains]]
    finally:
        # After an interrupt, the chains that wait must not start.
        pool.shutdown(cancel_futures=True)
    return [chain for chain in ended if chain.failed is not None]


def run_step(step: Step, root: str) -> bool:
    """Run one step and append its output to its log.

    Returns:
        Whether it succeeded and its outputs are there.
    """
    step.log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': root}
    with open(step.log, 'a', encoding='utf-8') as log:
        try:
            command = [sys.executable, *step.command()]
        except ConfigError as error:
            log.write(f'error: {error}\n')
            return False
        log.write(f'$ {" ".join(command)}\n')
        log.flush()
        code = subprocess.call(
            command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    if code == 0 and step.marker is not None:
        step.marker.touch()
    return code == 0 and step.done


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {seconds} s'
