"""A study: pre-trainings and evaluations for several variants and seeds, planned as steps."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.evaluate import plan_protocols
from mmact_ssl.evaluation.results import config_hash, result_file, run_name
from research.steps import POINTER, PRETEXT, Chain, Step, stored_runs

STUDY_KEYS = ('dataset', 'seeds', 'runs')
RUN_KEYS = {'method', 'variant', 'pretrain', 'set', 'cfg_options', 'hooks', 'evaluations', 'seeds'}
EVALUATION_KEYS = {'protocols', 'encoder', 'config', 'cfg_options', 'label_fraction', 'dataset'}
EVALUATION_KEYS |= {'method', 'variant', 'finetuned', 'program', 'set'}
CONFIG_KEYS = ('pretrain', 'config')
# File in a run's folder with its settings, so that no other run resumes or uses it.
RECORD = 'study_run.json'


def plan_study(study: Config, work_dir: str, results: str, root: str) -> list[Chain]:
    """Turn a study's config into chains of steps.

    Args:
        study: Config with ``dataset``, ``seeds`` and ``runs``, see research/README.md.
        work_dir: Folder of pre-training and fine-tuning.
        root: Folder with ``tools/``.

    Returns:
        One chain per run and seed, seed by seed: a stopped study then has complete rows.
    """
    for key in STUDY_KEYS:
        if key not in study:
            raise ConfigError(f'{study.filename}: a study needs {key}; see research/README.md')
    runs = [(run, run.get('seeds', study.seeds)) for run in runs_of(study)]
    for run, _ in runs:
        _check_run(run, study.filename, root)
    chains = [
        _Run(run, seed, study.dataset, Path(work_dir), Path(results), root).chain()
        for seed in sorted({seed for _, seeds in runs for seed in seeds})
        for run, seeds in runs
        if seed in seeds
    ]
    writers: dict[Any, Step] = {}
    for step in (step for chain in chains for step in chain.steps):
        for place in (*(run for _, run in step.results), step.log):
            other = writers.setdefault(place, step)
            if other is not step:
                raise ConfigError(
                    f'{study.filename}: {other.name!r} and {step.name!r} would both write {place}; '
                    'give one of them another method or variant'
                )
    return chains


def runs_of(study: Config) -> list[dict]:
    """List a study's runs, with its data set's name in place of ``{dataset}``.

    A config that stands in ``research/configs/`` too is that one.

    An evaluation of pretext tasks that names no config gets the pre-training's, with its set.
    """

    def fill(part: Any) -> Any:
        if isinstance(part, str):
            return part.replace('{dataset}', study.dataset)
        if isinstance(part, dict):
            return {key: fill(value) for key, value in part.items()}
        if isinstance(part, (list, tuple)):
            return [fill(value) for value in part]
        return part

    runs = [fill(run) for run in study.runs]
    for run in runs:
        for part in (run, *run.get('evaluations', [])):
            part.update({key: _find_config(part[key]) for key in CONFIG_KEYS if part.get(key)})
            if 'encoder' in part:
                part['encoder'] = _find_encoder(part['encoder'])
        own = {'config': run['pretrain']} if run.get('pretrain') else {}
        own |= {'set': run['set']} if own and 'set' in run else {}
        for number, part in enumerate(run.get('evaluations', [])):
            if part.get('protocols') == PRETEXT and 'config' not in part:
                run['evaluations'][number] = {**own, **part}
    return runs


def _find_config(config: str) -> str:
    """``configs/NAME.py`` of this folder, or else of the package."""
    is_own = not Path(config).is_absolute() and (Path(__file__).parent / config).is_file()
    return f'research/{config}' if is_own else config


def _find_encoder(text: str) -> str:
    """``NAME`` of an encoder of this folder as its path, or else of the package."""
    path = Path(__file__).parent / 'configs/encoders' / f'{text.partition(",")[0]}.py'
    return f'research/configs/encoders/{text}.py' if path.is_file() else text


def _check_run(run: dict, filename: str, root: str) -> None:
    missing, unknown = {'method', 'evaluations'} - set(run), set(run) - RUN_KEYS
    for evaluation in run.get('evaluations', []):
        named = 'config' if evaluation.get('protocols') == PRETEXT else 'encoder'
        missing |= {'protocols', named} - set(evaluation)
        unknown |= set(evaluation) - EVALUATION_KEYS
    if missing or unknown:
        raise ConfigError(
            f'{filename}: run {run.get("method")!r} {run.get("variant", "full")!r}: '
            f'missing {sorted(missing)}, unknown {sorted(unknown)}; '
            'see research/README.md'
        )
    for part in run['evaluations']:
        if 'encoder' in part:
            read_encoder(part['encoder'])
    for config in [run.get('pretrain'), *(part.get('config') for part in run['evaluations'])]:
        if config is not None and not (Path(root) / config).is_file():
            raise ConfigError(
                f'{filename}: {config}: no such config in {root}; one beside the study is '
                "'{{ fileDirname }}/NAME.py'"
            )


@cache
def _name_of(part: str, is_config: bool, dataset: str | None) -> str:
    """Name in results of the network of a pre-training config or of an encoder."""
    return read_config(part, dataset=dataset).encoder.name if is_config else read_encoder(part).name


class _Run:
    """One run of a study at one seed, and the commands of its steps."""

    def __init__(
        self, run: dict, seed: int, dataset: str, work_dir: Path, results: Path, root: str
    ) -> None:
        self.run, self.seed, self.dataset = run, seed, dataset
        self.results, self.root = results, root
        self.method, self.variant = run['method'], run.get('variant', 'full')
        self.pretrain: str = run.get('pretrain') or ''  # '': a random encoder
        self.options = _options(run, seed)
        self.name = f'{self.method} {self.variant} seed {seed}'
        name = f'{self.method}_{self.variant}_seed{seed}'
        self.folder = work_dir / name.lower().replace(' ', '-')

    def chain(self) -> Chain:
        """The pre-training, if any, and the evaluations."""
        parts = self.run['evaluations']
        steps = [self._evaluation(part) for part in parts]
        same = [(part.get('label_fraction'), part.get('dataset')) for part in parts]
        for key, part, step in zip(same, parts, steps):
            reads = part.get('finetuned')
            tunings = [
                tuning
                for of, other, tuning in zip(same, parts, steps)
                if of == key and other['protocols'] == 'finetune'
            ]
            if reads and len(tunings) != 1:
                raise ConfigError(
                    f"{self.name}: finetuned=True needs one evaluation by 'finetune' alone with "
                    'the same label_fraction'
                )
            step.needs = tunings[0] if reads else None
        steps.sort(key=lambda step: step.needs is not None)  # fine-tuning comes first
        if self.pretrain:
            finished, log = self.folder / 'pretraining_finished', self.folder / 'pretraining.txt'
            name = f'{self.name}: pre-training'
            steps.insert(0, Step(name, self._train_command, log, marker=finished))
            if (self.folder / RECORD).is_file():
                try:
                    self._check_folder()
                except ConfigError:  # each step raises it again
                    for step in steps:
                        step.stale = True
        return Chain(self.name, steps)

    def _check_folder(self) -> None:
        """Record the settings of the pre-training in its folder, or compare them with the record.

        The seed is left out, and paths are independent of ``$MMACT_SSL_DATA``.
        """
        config = str(Path(self.root) / self.pretrain)
        record = dict(
            dataset=self.dataset,
            pretrain=self.pretrain,
            cfg_options=self.options,
            # The hash includes inherited settings.
            config_hash=config_hash(read_config(config, dataset=self.run.get('set')).to_dict()),
        )
        file = self.folder / RECORD
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')
            return
        earlier = json.loads(file.read_text(encoding='utf-8'))
        changes = '; '.join(
            f'{key}: {earlier.get(key)} there, {value} now'
            for key, value in record.items()
            if earlier.get(key) != value
        )
        if changes:
            raise ConfigError(
                f'{self.folder} was trained otherwise ({changes}); delete it and its results to '
                f'train anew, or {file} alone to go on with it as it is'
            )

    def _train_command(self) -> list[str]:
        self._check_folder()
        command = ['tools/train.py', self.pretrain, '--work-dir', str(self.folder)]
        command += ['--seed', str(self.seed)]
        command += ['--set', self.run['set']] if 'set' in self.run else []
        if any(self.folder.glob('*.pth')):
            command.append('--resume')
        return command + _cfg_options([*self.run.get('hooks', ()), *self.options])

    def _encoder(self, fine_tuning: Step | None) -> list[str]:
        """Arguments for the encoder: a checkpoint of this run, or a random one.

        Args:
            fine_tuning: Step that fine-tunes the network; None: the pre-trained student.
        """
        start = ['--random']
        if self.pretrain:
            self._check_folder()
            start = [_last_checkpoint(self.folder)]
        if fine_tuning is None:
            return start
        return [_last_checkpoint(fine_tuning.folder)]

    def _evaluation(self, evaluation: dict) -> Step:
        protocols, share = evaluation['protocols'], evaluation.get('label_fraction')
        target = evaluation.get('dataset', self.dataset)
        source = '' if not self.pretrain or target == self.dataset else self.dataset
        plan = {1.0: [PRETEXT]}
        if protocols != PRETEXT:
            plan = {1.0 if share is None else float(share): plan_protocols(protocols)}
        method, variant = (
            evaluation.get(key, self.run.get(key, 'full')) for key in ('method', 'variant')
        )
        row = variant
        if source:
            row = ('' if variant == 'full' else f'{variant}, ') + f'pre-trained on {source}'
        file = result_file(self.results, target, method)
        names = (method, row, target)
        results = [
            (file, run_name(*names, protocol, fraction, self.seed))
            for fraction, chosen in plan.items()
            for protocol in chosen
        ]
        options = _options(evaluation, self.seed)
        if protocols == PRETEXT:  # with the options of the training
            options = self.options + options
        self._check_backbone(results, evaluation)
        title, stem = protocols.replace(',', ', '), protocols.replace(' ', '').replace(',', '-')
        if share is not None and share != 1:
            title += f' with {100 * share:g} % of the labels'
            stem += f'_{100 * share:g}pct'
        if target != self.dataset:
            title += f' on {target}'
            stem += f'_{target}'
        if variant != self.variant:
            title += f' as {variant}'
            stem += f'_{variant}'

        def command() -> list[str]:
            encoder = self._encoder(step.needs)
            words = ['tools/evaluate.py', protocols, *encoder]
            if protocols == PRETEXT:
                program = evaluation.get('program', 'research/pretext_tasks.py')
                words = [program, evaluation['config'], *encoder]
            else:
                words += ['--encoder', evaluation['encoder']]
            words += ['--set', evaluation['set']] if 'set' in evaluation else []
            words += ['--method', method, '--variant', row]
            words += ['--seed' if protocols == PRETEXT else '--seeds', str(self.seed)]
            words += [] if share is None else ['--label-fraction', str(share)]
            words += ['--out', str(self.results), '--work-dir', str(self.folder / stem)]
            return words + _cfg_options(options)

        step = Step(f'{self.name}: {title}', command, self.folder / f'{stem}.txt', results)
        return step

    def _check_backbone(self, results: list[tuple[Path, str]], evaluation: dict) -> None:
        """Refuse stored results of another backbone: a result's name leaves the backbone out."""
        for file, run in results:
            stored = stored_runs(file).get(run, {}).get('backbone')
            if stored is None:
                continue
            is_config = 'encoder' not in evaluation
            part = evaluation.get('encoder') or str(Path(self.root) / evaluation['config'])
            name = _name_of(part, is_config, evaluation.get('set') if is_config else None)
            if stored != name:
                raise ConfigError(
                    f'{file}: {run} is there with backbone {stored!r}, and {self.name!r} of the '
                    f'study has {name!r}: give the run another variant=, or another --results'
                )


def _last_checkpoint(folder: Path) -> str:
    """The last checkpoint of a training in a folder."""
    pointer = folder / POINTER
    if not pointer.is_file():
        raise ConfigError(f'{pointer}: there is none; delete {folder} and rerun')
    # Only its name: the file holds a path of the training's machine.
    return str(folder / Path(pointer.read_text(encoding='utf-8').strip()).name)


def _options(part: dict, seed: int) -> list[str]:
    """Options of a run or an evaluation, for one seed."""
    return [option.replace('{seed}', str(seed)) for option in part.get('cfg_options', [])]


def _cfg_options(options: list[str]) -> list[str]:
    return ['--cfg-options', *options] if options else []
