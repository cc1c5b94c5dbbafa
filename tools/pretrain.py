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
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmact_ssl_cli import Parser, full_path, load_tool

if TYPE_CHECKING:
    from mmact_ssl.apis.pretrain_plan import Plan
    from mmact_ssl.apis.source_folder import Source

PROTOCOLS = ('linear', 'knn')
PLAN, STATE = 'plan.json', 'state.json'
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
    args = parser.parse_args(argv)
    name = args.folder.resolve().stem if args.folder.is_file() else args.folder.resolve().name
    args.name = re.sub(r'[^\w.+-]+', '_', name).strip('._+-')[:60] or 'mine'
    args.out = args.out or full_path(f'work_dirs/pretrain_{args.name}')
    return args


class Job:
    """The files of a run, and what its finished steps have recorded.

    Attributes:
        is_trained: True if nothing is left to train.
        recorded: For each finished step what it has read; and ``table``, rows of the evaluation.
    """

    def __init__(self, args: argparse.Namespace, source: Source, plan: Plan) -> None:
        from mmact_ssl.apis.pretrain_plan import RECIPES
        from mmact_ssl.files import read_json

        self.source, self.plan, self.recipe = source, plan, RECIPES[plan.is_video]
        self.labels, self.out = args.labels, args.out
        self.published: Path = self.out / args.name
        self.data = self.published if source.words else source.path
        self.training = self.out / 'training'
        self.checkpoint = self.training / f'epoch_{plan.epochs}.pth'
        self.page = self.out / 'gallery' / 'index.html'
        self.is_trained = self.checkpoint.is_file() or self.model is not None
        state = self.out / STATE
        self.recorded = read_json(state, 'give another --out', dict) if state.is_file() else {}

    @property
    def model(self) -> Path | None:
        """The newest published file, once one is written; others have other figures."""
        published = self.out.glob(f'{self.published.name}-????????.safetensors')
        return max(published, key=lambda path: path.stat().st_mtime, default=None)

    def listed(self) -> tuple[list[str], list[int]]:
        """Names and labels in the training list."""
        from mmact_ssl.datasets.prepared_folder import describe_folder
        from mmact_ssl.files import read_annotation

        return read_annotation(describe_folder(str(self.data))['train'], 'prepare the folder again')


class Step(NamedTuple):
    """A step of a run.

    Attributes:
        what: Description in the plan.
        run: Function that does it by another tool.
        reads: Hash of the files that it reads, and it runs again if this changes; None if it never
            runs again.
        has_result: False if its result is not there yet, or was removed.
    """

    name: str
    what: str
    run: Callable[[Job], None]
    reads: str | None
    has_result: bool = True

    def is_done(self, job: Job) -> bool:
        """True if its result is there, and made from the same files."""
        return self.has_result and self.reads in (None, job.recorded.get(self.name))


def prepare(job: Job) -> None:
    """List what can be read, and make the small copies of videos."""
    source = job.source
    frames = ['--frames', str(job.plan.frames)] if source.is_video else []
    before = set(job.listed()[0]) if 'prepare' in job.recorded else set()
    load_tool('prepare').main([*source.words, *frames, '--out', str(job.data)])
    for listing in (job.data / 'targets').glob('*.broken.txt'):
        listing.unlink()  # the videos may be others now
    clips = set(job.listed()[0])
    for name in before - clips if source.is_video else ():
        # The copy of a video that is gone or cannot be read any more, and no other file.
        (job.data / name).unlink(missing_ok=True)
    if before not in (set(), clips) and job.is_trained:
        print(
            f'the videos or clips of {source.path} have changed since the training: give '
            'another --out to train on all of them'
        )


def extract(job: Job) -> None:
    """Run the teachers on copies that are new or have changed."""
    from mmact_ssl.models.teachers.choice import config_of

    load_tool('extract').main([*map(config_of, job.plan.teachers), '--data', str(job.data)])


def train(job: Job) -> None:
    """Train, from the newest checkpoint if there is one."""
    plan = job.plan
    options = [
        f'train_cfg.max_epochs={plan.epochs}',
        f'param_scheduler.0.end={plan.warmup}',
        f'param_scheduler.1.begin={plan.warmup}',
        f'param_scheduler.1.end={plan.epochs}',
        f'default_hooks.checkpoint.interval={max(1, plan.epochs // 5)}',
    ]
    if plan.start:
        options += ['model.backbone.init_cfg.type=Pretrained']
        options += [f'model.backbone.init_cfg.checkpoint="{plan.start}"']
    words = [job.recipe.config, '--data', str(job.data), '--work-dir', str(job.training)]
    words += ['--resume'] if any(job.training.glob('*.pth')) else []
    load_tool('train').main([*words, '--cfg-options', *options])


def evaluate(job: Job) -> None:
    """Evaluate the start and the student by the same readouts."""
    rows: list[dict[str, Any]] = []
    job.recorded['table'] = rows
    labels = [label for label in job.listed()[1] if label >= 0]
    if not 1 < len(set(labels)) < len(labels):  # several classes, one with two or more
        print('the folder has too few labels for an evaluation')
        return
    from mmact_ssl.evaluation.result_table import accuracy_row

    tool = load_tool('evaluate')
    where = ['--data', str(job.data), '--out', str(job.out / 'results')]
    network = f'mmact_ssl::downstream/{job.recipe.network}.py'
    start = [job.plan.start] if job.plan.start else [network, '--random']
    for method, encoder in ('start', start), (job.recipe.name, [str(job.checkpoint)]):
        words = [','.join(PROTOCOLS), *encoder, *where, '--method', method]
        rows += [accuracy_row(result) for result in tool.run(tool.parse_args(words))]


def publish(job: Job) -> None:
    """Publish the student, with the figures of an evaluation if there was one."""
    has_figures = job.source.is_labeled and job.recorded['table']
    figures = ['--results', str(job.out / 'results')] if has_figures else []
    load_tool('publish').main([str(job.checkpoint), str(job.published), *figures])


def make_gallery(job: Job) -> None:
    """Write a page of all clips."""
    clips = job.data / 'videos' if job.source.is_video else job.data
    words = ['gallery', str(job.model), str(clips), '--out', str(job.page.parent)]
    load_tool('visualize').main(words)


def list_steps(job: Job) -> list[Step]:
    """The steps of a run, in their order."""
    from mmact_ssl.preparation.small_copies import SHORT_SIDE

    plan, is_video = job.plan, job.source.is_video
    clips, labels = job.source.state(None), job.source.state(job.labels)
    copies = f'copies of {plan.frames} frames, short side {SHORT_SIDE}; links to smaller ones'
    listed = copies if is_video else f'one file of all clips {plan.note}'.rstrip()
    teachers = f'of {", ".join(Path(name).stem for name in plan.teachers)} ({plan.note})'
    length = f'{job.recipe.name}: {plan.epochs} epochs, {plan.steps} steps'
    compared = 'linear and kNN, of the start and of the student'
    card, page = 'a file with weights and card', 'a page of all clips, with the nearest ones'
    steps = [
        Step('prepare', listed, prepare, labels if job.source.words else None),
        Step('targets', teachers, extract, None if job.is_trained else clips),
        Step('train', length, train, None, job.is_trained),
        Step('evaluate', compared, evaluate, labels),
        Step('publish', card, publish, labels, job.model is not None),
        Step('gallery', page, make_gallery, clips),
    ]
    left_out = set() if is_video else {'targets'}
    if not job.source.is_labeled:
        left_out.add('evaluate')
    return [step for step in steps if step.name not in left_out]


def show_plan(job: Job, steps: list[Step]) -> None:
    """Print the steps with their times, and the disk that they need."""
    plan, left = job.plan, [step.name for step in steps if not step.is_done(job)]
    print(f'{job.source.path}: {plan.count} {"videos" if job.source.is_video else "clips"}')
    for step in steps:
        time_left = plan.time([step.name]) if step.name in left else 'done'
        size = plan.megabytes.get(step.name, 0)
        print(f'  {step.name:8} {time_left:>10} {size:6.0f} MB  {step.what}')
    needed = sum(plan.megabytes.get(name, 0) for name in left)
    print(f'about {plan.time(left)} on this machine; {needed:.0f} MB in {job.out}')
    if not job.source.is_labeled:
        print('no labels, no table: give --labels, and the same command compares start and student')


def show_end(job: Job) -> None:
    """Print the accuracies, and where model and gallery are."""
    rows = job.recorded['table'] if job.source.is_labeled else []
    if rows:
        print(f'top-1 in % of {rows[0]["n_test"]} held-out clips (95 % interval)')
        for row in rows:
            name = 'start' if row['method'] == 'start' else f'student ({row["method"]})'
            print(f'  {name:30} {row["protocol"]:8} {row["text"]}')
    print(f'model    {job.model}\ngallery  {job.page.as_uri()}')


def main(argv: list[str] | None = None) -> None:
    """Plan, and run what is not done yet."""
    args = parse_args(argv)
    from mmact_ssl.apis.pretrain_plan import Plan, make_plan
    from mmact_ssl.apis.source_folder import find_source
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.files import write_atomically

    with one_line_errors():
        source = find_source(args.folder, args.out, args.labels, args.layout)
        path, asked = args.out / PLAN, {option: vars(args)[option] for option in ASKED}
        if path.is_file():
            plan = Plan.read(path, asked)
        else:
            print('measuring the steps on this machine', flush=True)
            plan = make_plan(source, asked, load_tool('prepare').main)
        job = Job(args, source, plan)
        steps = list_steps(job)
        show_plan(job, steps)
        if args.dry_run:
            return
        args.out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(plan), indent=1) + '\n')
        for number, step in enumerate(steps, 1):
            if step.is_done(job):
                continue
            left = plan.time([later.name for later in steps[number - 1 :]])
            print(
                f'\n[{number}/{len(steps)}] {step.name}: {step.what}; about {left} left', flush=True
            )
            step.run(job)
            job.recorded[step.name] = step.reads
            write_atomically(job.out / STATE, json.dumps(job.recorded, indent=1))
        show_end(job)


if __name__ == '__main__':
    main()
