#!/usr/bin/env python
"""Pre-train on a folder of your own, from the files to a model: ``tools/pretrain.py ~/my_clips``.

It prepares the folder, runs teachers on the videos, trains, evaluates if there are labels,
publishes the student and writes a gallery. A plan with the time of each step comes first. Call it
again after a stop: what is done is left out.

    mmact-ssl pretrain mine.npz --dry-run                    # skeletons; the plan alone
    mmact-ssl pretrain ~/my_clips --labels labels.csv        # a table video,label
"""

from __future__ import annotations

import argparse
import io
import json
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmact_ssl_cli import Parser, full_path, load_tool

if TYPE_CHECKING:
    from mmact_ssl.apis.pretrain_plan import Plan
    from mmact_ssl.apis.source_folder import Source

PROTOCOLS = ('linear', 'knn')
PLAN = 'plan.json'
# Options that make the plan.
ASKED = ('minutes', 'steps', 'teacher', 'layout', 'start')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        'folder', type=full_path, metavar='FOLDER', help='videos or skeletons, or a skeleton file'
    )
    parser.add_argument(
        '--labels',
        metavar='TABLE',
        help='table video,label[,group] of the videos that have a label; or the word folders, if '
        'the first folder below FOLDER is the class',
    )
    parser.add_argument('--out', type=full_path, help='of all results, work_dirs/pretrain_NAME')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--minutes', type=float, help='that all may take, on this machine')
    length.add_argument('--steps', type=int, help='of the training, in whole epochs, two or more')
    parser.add_argument(
        '--teacher', help='teacher of poses for videos: a name in configs/teachers/, or a config'
    )
    parser.add_argument('--layout', help='joint order of skeletons, if several have their number')
    parser.add_argument(
        '--from',
        dest='start',
        metavar='MODEL',
        help='published model or checkpoint to start from, of the same network',
    )
    parser.add_argument('--dry-run', action='store_true', help='print the plan, write nothing')
    return parser.parse_args(argv)


class Run:
    """One run: what is done of it, and its steps, each by its own tool.

    Args:
        name: Of the prepared folder and of the model.
    """

    def __init__(self, args: argparse.Namespace, source: Source, plan: Plan, name: str) -> None:
        self.args, self.source, self.plan, self.name = args, source, plan, name
        self.out: Path = args.out
        self.data = self.out / name if source.words else source.path
        self.training = self.out / 'training'
        self.page = self.out / 'gallery' / 'index.html'

    @property
    def model(self) -> Path | None:
        """The newest published file, once one is written; others have other figures."""
        published = self.out.glob(f'{self.name}-????????.safetensors')
        return max(published, key=lambda path: path.stat().st_mtime, default=None)

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint of the training, once it is written."""
        return self.training / f'epoch_{self.plan.epochs}.pth'

    @property
    def steps(self) -> list[str]:
        """Names of the steps, in their order."""
        videos = ['prepare', 'targets', 'train', *(['evaluate'] if self.args.labels else [])]
        first = videos if self.source.is_video else ['prepare', 'train', 'evaluate']
        return [*first, 'publish', 'gallery']

    def state(self, step: str) -> str:
        """Hash of what a step reads: a step runs again if this has changed."""
        of_clips = step in ('targets', 'gallery')
        return self.source.state(None if of_clips else self.args.labels)

    def is_done(self, step: str) -> bool:
        """True if a step has nothing left to do."""
        if step == 'prepare' and not self.source.words:
            return True
        if step in ('targets', 'train') and self.model is not None:
            return True
        if step == 'train':
            return self.checkpoint.is_file()
        if self.model is None and step == 'publish':
            return False
        return self.known.get(step) == self.state(step)

    def listed(self) -> tuple[list[str], list[int]]:
        """Names and labels in the training list."""
        from mmact_ssl.datasets.prepared_folder import describe_folder
        from mmact_ssl.files import read_annotation

        return read_annotation(describe_folder(str(self.data))['train'], 'prepare the folder again')

    def has_labels(self) -> bool:
        """True if several classes have a label, one of them two or more."""
        labels = [label for label in self.listed()[1] if label >= 0]
        return 1 < len(set(labels)) < len(labels)

    @property
    def known(self) -> dict[str, Any]:
        """The values that earlier calls recorded."""
        from mmact_ssl.files import read_json

        path = self.out / 'state.json'
        return read_json(path, 'give another --out', dict) if path.is_file() else {}

    def record(self, **values: Any) -> None:
        """Record something for later calls."""
        from mmact_ssl.files import write_atomically

        write_atomically(self.out / 'state.json', json.dumps({**self.known, **values}, indent=1))

    @property
    def table(self) -> list[dict[str, Any]]:
        """Rows of the evaluation with these labels; [] if there is none."""
        return self.known.get('table', []) if self.is_done('evaluate') else []

    def prepare(self) -> None:
        """List what can be read, and make the small copies of videos."""
        frames = ['--frames', str(self.plan.frames)] if self.source.is_video else []
        before = set(self.listed()[0]) if 'prepare' in self.known else set()
        load_tool('prepare').main([*self.source.words, *frames, '--out', str(self.data)])
        for listing in (self.data / 'targets').glob('*.broken.txt'):
            listing.unlink()  # the videos may be others now
        clips = set(self.listed()[0])
        for name in before - clips if self.source.is_video else ():
            # The copy of a video that is gone or cannot be read any more, and no other file.
            (self.data / name).unlink(missing_ok=True)
        if before not in (set(), clips) and self.is_done('train'):
            print(
                f'the videos or clips of {self.source.path} have changed since the training: give '
                'another --out to train on all of them'
            )

    def targets(self) -> None:
        """Run the teachers on copies that are new or have changed."""
        from mmact_ssl.models.teachers.choice import config_of

        load_tool('extract').main([*map(config_of, self.plan.teachers), '--data', str(self.data)])

    def train(self) -> None:
        """Train, from the newest checkpoint if there is one."""
        options = self.plan.training_options
        if self.plan.start:
            options += ['model.backbone.init_cfg.type=Pretrained']
            options += [f'model.backbone.init_cfg.checkpoint="{self.plan.start}"']
        words = [self.plan.recipe.config, '--data', str(self.data)]
        words += ['--work-dir', str(self.training), '--cfg-options', *options]
        resume = ['--resume'] if any(self.training.glob('*.pth')) else []
        load_tool('train').main([*words, *resume])

    def evaluate(self) -> None:
        """Evaluate the start and the student by the same readouts."""
        rows: list[dict[str, Any]] = []
        if not self.has_labels():
            print('the folder has too few labels for an evaluation')
            self.record(table=rows)
            return
        from mmact_ssl.evaluation.result_table import accuracy_row

        tool = load_tool('evaluate')
        where = ['--data', str(self.data), '--out', str(self.out / 'results')]
        network = f'mmact_ssl::downstream/{self.plan.recipe.network}.py'
        start = [self.plan.start] if self.plan.start else [network, '--random']
        for method, encoder in ('start', start), (self.plan.recipe.name, [str(self.checkpoint)]):
            words = [','.join(PROTOCOLS), *encoder, *where, '--method', method]
            rows += [accuracy_row(result) for result in tool.run(tool.parse_args(words))]
        self.record(table=rows)

    def publish(self) -> None:
        """Publish the student, with the figures of an evaluation if there was one."""
        figures = ['--results', str(self.out / 'results')] if self.table else []
        load_tool('publish').main([str(self.checkpoint), str(self.out / self.name), *figures])

    def gallery(self) -> None:
        """Write a page of all clips."""
        clips = self.data / 'videos' if self.source.is_video else self.data
        words = ['gallery', str(self.model), str(clips), '--out', str(self.page.parent)]
        load_tool('visualize').main(words)


def make_plan(args: argparse.Namespace, source: Source, scratch: Path) -> Plan:
    """Measure in a temporary folder, and plan."""
    from mmengine.logging import MMLogger

    from mmact_ssl.apis import pretrain_plan
    from mmact_ssl.errors import ConfigError

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # what is measured reports itself when it runs
    print('measuring the steps on this machine', flush=True)
    if source.is_video:
        teachers = (args.teacher, pretrain_plan.IMAGE_TEACHER) if args.teacher else ()
        plan = pretrain_plan.plan_videos(source, scratch, args.steps, teachers)
    elif args.teacher:
        raise ConfigError('--teacher is for videos, skeletons need none: leave it out')
    else:
        start = time.perf_counter()
        folder = scratch / 'data' if source.words else source.path
        if source.words:
            with redirect_stdout(io.StringIO()):  # it tells of a temporary folder
                load_tool('prepare').main([*source.words, '--out', str(folder)])
        took = time.perf_counter() - start
        plan = pretrain_plan.plan_skeletons(folder, took, args.steps)
        plan = replace(plan, note=' '.join(source.words[3:]))
    logger.setLevel(level)
    plan = pretrain_plan.from_model(plan, args.start) if args.start else plan
    if args.minutes:
        plan = pretrain_plan.within(plan, args.minutes, Run(args, source, plan, '').steps)
    return plan


def find_plan(args: argparse.Namespace, source: Source) -> Plan:
    """The plan of an earlier call, or a new one.

    Raises:
        ConfigError: An option asks for another plan than that of the earlier call.
    """
    from mmact_ssl.apis.pretrain_plan import Plan
    from mmact_ssl.errors import ConfigError

    asked = {name: getattr(args, name) for name in ASKED}
    if (args.out / PLAN).is_file():
        plan = Plan.read(args.out / PLAN)
        for name, value in asked.items():
            if value is not None and value != plan.asked.get(name):
                raise ConfigError(
                    f'{args.out} was begun with {name} {plan.asked.get(name)}: leave the option '
                    'out to go on, or give another --out'
                )
        return plan
    with TemporaryDirectory() as scratch:
        plan = replace(make_plan(args, source, Path(scratch)), asked=asked)
    if not args.dry_run:
        args.out.mkdir(parents=True, exist_ok=True)
        plan.write(args.out / PLAN)
    return plan


def show_plan(run: Run) -> None:
    """Print the steps with their times, and the disk that they need."""
    plan, left = run.plan, [step for step in run.steps if not run.is_done(step)]
    print(f'{run.source.path}: {plan.count} {"videos" if run.source.is_video else "clips"}')
    for step in run.steps:
        time_left = plan.time([step]) if step in left else 'done'
        print(
            f'  {step:8} {time_left:>10} {plan.megabytes.get(step, 0):6.0f} MB  {plan.what(step)}'
        )
    needed = sum(plan.megabytes.get(step, 0) for step in left)
    print(f'about {plan.time(left)} on this machine; {needed:.0f} MB in {run.out}')
    if 'evaluate' not in run.steps:
        print('no labels, no table: give --labels, and the same command compares start and student')


def show_end(run: Run) -> None:
    """Print the accuracies, and where model and gallery are."""
    rows = run.table
    if rows:
        print(f'top-1 in % of {rows[0]["n_test"]} held-out clips (95 % interval)')
        for row in rows:
            name = 'start' if row['method'] == 'start' else f'student ({row["method"]})'
            print(f'  {name:30} {row["protocol"]:8} {row["text"]}')
    print(f'model    {run.model}\ngallery  {run.page.as_uri()}')


def main(argv: list[str] | None = None) -> None:
    """Plan, and run what is not done yet."""
    args = parse_args(argv)
    from mmact_ssl.apis.source_folder import find_source, short_name
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        name = short_name(args.folder)
        args.out = args.out or full_path(f'work_dirs/pretrain_{name}')
        source = find_source(args.folder, args.out, args.labels, args.layout)
        run = Run(args, source, find_plan(args, source), name)
        show_plan(run)
        if args.dry_run:
            return
        for number, step in enumerate(run.steps, 1):
            if run.is_done(step):
                continue
            what, left = f'{step}: {run.plan.what(step)}', run.plan.time(run.steps[number - 1 :])
            print(f'\n[{number}/{len(run.steps)}] {what}; about {left} left', flush=True)
            getattr(run, step)()
            run.record(**{step: run.state(step)})
        show_end(run)


if __name__ == '__main__':
    main()
