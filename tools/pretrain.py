#!/usr/bin/env python
"""Pre-train on a folder of your own, from the files to a model.

It prepares the folder, runs teachers on the videos, trains, evaluates if there are labels,
publishes the student and writes a gallery. A plan with the time of each step comes first. Call it
again after a stop: what is done is left out.

    mmact-ssl pretrain mine.npz --dry-run                    # skeletons; the plan alone
    mmact-ssl pretrain ~/my_clips --labels labels.csv        # a table video,label
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmact_ssl_cli import Parser, full_path, full_teacher, load_tool

if TYPE_CHECKING:
    from mmact_ssl.apis.pretrain_plan import Job


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_source_options()
    parser.add_argument('--out', type=full_path, help='of all results, work_dirs/pretrain_NAME')
    parser.add_argument('--steps', type=int, help='of the training, in whole epochs, two or more')
    parser.add_argument(
        '--teacher',
        action='append',
        type=full_teacher,
        help='teacher of poses for videos: a name in configs/teachers/, or a config; hf:FOLDER, a '
        'network of transformers, guides the student too, and may stand beside it',
    )
    parser.add_argument('--window', type=float, help='seconds, to cut recordings; 0: whole files')
    parser.add_argument('--flip', action=argparse.BooleanOptionalAction, help='mirror clips or not')
    parser.add_argument(
        '--from',
        dest='start',
        metavar='MODEL',
        help='published model or checkpoint to start from, of the same network',
    )
    parser.add_argument(
        '--again', action='store_true', help='if the folder has changed: train on what is there now'
    )
    parser.add_argument('--dry-run', action='store_true', help='print the plan, write nothing')
    args = parser.parse_args(argv)
    name = args.folder.resolve().stem if args.folder.is_file() else args.folder.resolve().name
    args.name = re.sub(r'[^\w.+-]+', '_', name.replace("'", '')).strip('._+-')[:60] or 'mine'
    args.out = args.out or full_path(f'work_dirs/pretrain_{args.name}')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        job = plan_job(args)
        steps = list_steps(job)
        show_plan(job, steps)
        if args.dry_run:
            return
        job.write()
        failed = []
        for number, step in enumerate(steps, 1):
            if step.is_done:
                continue
            left = f'about {time_text([step])} of {time_text(steps[number - 1 :])} left'
            print(f'\n[{number}/{len(steps)}] {step.name}: {step.description}; {left}', flush=True)
            if reason := step.run():  # not recorded: the next call tries it again
                failed.append(reason)
            else:
                job.recorded.steps[step.name] = step.made_from
                job.write()
        if job.source.is_labeled and not failed:
            print(job.table.read_text())
        page = job.out / 'gallery' / 'index.html'
        print(*failed, f'model    {model_of(job)}', f'gallery  {page.as_uri()}', sep='\n')


def plan_job(args: argparse.Namespace) -> Job:
    """Read the folder, and plan; what an earlier call has planned stays, if it can."""
    from mmact_ssl.apis.pretrain_plan import Job, make_plan
    from mmact_ssl.apis.source_folder import find_source
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.io.files import shown

    source = find_source(args.folder, args.out, args.labels, args.layout, args.coordinates)
    job = Job(source, args.out, args.name, args.labels, args.again)
    options = ('steps', 'teacher', 'layout', 'coordinates', 'flip', 'start', 'window')
    asked = {name: vars(args)[name] for name in options if vars(args)[name] != ''}
    record, plan = job.recorded, job.recorded.plan
    if plan is None or (record.trained is None and record.planned != job.state):
        before = plan.asked if plan else {}
        asked |= {name: value for name, value in before.items() if asked.get(name) is None}
        plan, record.planned = None, job.state
    for name, value in asked.items() if plan else ():
        if value is not None and value != plan.asked.get(name):
            before = f'{args.out} was begun with {name} {shown(plan.asked.get(name))}'
            raise ConfigError(f'{before}: leave the option out to go on, or give another --out')
    job.plan = plan or make_plan(source, asked, load_tool('prepare').main)
    return job


@dataclass(frozen=True)
class Step:
    """A step of a run; it runs again if what it is ``made_from``, by the record, changes.

    Attributes:
        run: Does the step; returns the reason if it fails and the next ones can be done.
    """

    job: Job
    name: str
    description: str
    made_from: Any
    run: Callable[[], str | None]

    @property
    def is_done(self) -> bool:
        """True if it has run, and its input is the same."""
        return self.made_from == self.job.recorded.steps.get(self.name)

    @property
    def seconds(self) -> float:
        """Estimate of the seconds that are left."""
        return 0 if self.is_done else self.job.seconds_left.get(self.name, 0)


def list_steps(job: Job) -> list[Step]:
    """List the steps of a run in their order; other tools do most of them."""
    from mmact_ssl.models.teachers.choice import config_of
    from mmact_ssl.preparation.small_copies import FRAMES, SHORT_SIDE

    source, plan, record = job.source, job.plan, job.recorded
    steps: list[Step] = []
    state: Any
    if source.words:
        clips = ' '.join(['one file of all clips', *source.words[3:]])
        words = [*source.words, '--out', str(job.data)]
        words += {True: ['--flip'], False: ['--no-flip']}.get(plan.asked.get('flip'), [])
        if source.is_video:
            clips = f'copies of {FRAMES} frames, short side {SHORT_SIDE}; links to smaller ones'
            words += ['--window', str(plan.window)]
        state = [str(source.path.resolve()), *job.labeled]
        steps += [Step(job, 'prepare', clips, state, partial(run_tool, 'prepare', words))]
    if source.is_video:
        names = ', '.join(Path(name.removesuffix('.py')).name for name in plan.teachers)
        configs, data = [*map(config_of, plan.teachers)], ['--data', str(job.data)]
        calls = [[*configs[:2], *data]]
        if configs[2:]:  # first, because its folder may be gone
            calls.insert(0, [*configs[2:], *data, '--every', str(FRAMES)])
        state = record.steps.get('targets') if job.is_trained else job.state
        run = partial(run_tool, 'extract', *calls)
        steps += [Step(job, 'targets', f'of {names} ({plan.note})', state, run)]
    training = f'{plan.recipe.name}: {plan.epochs} epochs, {plan.steps} steps'
    steps += [Step(job, 'train', training, record.number, partial(train, job))]
    if source.is_labeled:
        compared, state = 'start, general model and student', [*job.labeled, record.number]
        steps += [Step(job, 'evaluate', compared, state, partial(evaluate, job))]
    if not model_of(job).is_file():
        record.steps.pop('publish', None)  # its file is gone, or was never written
    run = partial(run_tool, 'publish', [str(job.training), str(job.published)])
    steps += [Step(job, 'publish', 'a file with weights and card', record.number, run)]
    state = [job.state, record.number]
    return [*steps, Step(job, 'gallery', 'a page of all clips', state, partial(draw_gallery, job))]


def model_of(job: Job) -> Path:
    """The newest published file; the folder of the run before there is one."""
    files = job.out.glob(f'{job.published.name}-????????.safetensors')
    return max(files, key=lambda file: file.stat().st_mtime_ns, default=job.out)


def show_plan(job: Job, steps: list[Step]) -> None:
    """Print the steps with their times."""
    print(f'{job.source.path}: {len(job.now)} files; {job.plan.samples}')
    for step in steps:
        left = 'done' if step.is_done else str(time_text([step]))
        print(f'  {step.name:8} {left:>10}  {step.description}')
    print(f'about {time_text(steps)} on this machine')
    if not job.source.is_labeled:
        print('no labels, no table: give --labels TABLE, or --labels folders if these are classes')
    if job.note:
        print(job.note)


def time_text(steps: Iterable[Step]) -> timedelta:
    """Estimate of what is left of some steps."""
    return timedelta(seconds=round(sum(step.seconds for step in steps)))


def run_tool(name: str, *calls: list[str]) -> None:
    """Run another tool once for each list of words."""
    for words in calls:
        load_tool(name).main(words)


def train(job: Job) -> None:
    """Train, from the newest checkpoint if there is one."""
    plan = job.plan
    options = [
        f'train_cfg.max_epochs={plan.epochs}',
        f'param_scheduler.0.end={plan.warmup}',
        f'param_scheduler.1.begin={plan.warmup}',
        f'param_scheduler.1.end={plan.epochs}',
        f'default_hooks.checkpoint.interval={max(1, plan.epochs // 5)}',
        f'default_hooks.logger.interval={min(20, max(1, plan.steps // 50))}',
        *plan.options,
    ]
    if plan.start:
        options += ['model.backbone.init_cfg.type=Pretrained']
        options += [f'model.backbone.init_cfg.checkpoint="{plan.start}"']
    config = f'mmact_ssl::{plan.recipe.name}.py'
    words = [config, '--data', str(job.data), '--work-dir', str(job.training)]
    if job.recorded.trained is None:
        job.recorded.trained = job.now
        job.write()
    else:
        words += ['--resume']
    run_tool('train', [*words, '--cfg-options', *options])


def evaluate(job: Job) -> str | None:
    """Compare the start, the general model and the student."""
    from mmact_ssl.apis.compare import compare
    from mmact_ssl.apis.labeler import SKELETON, VIDEO
    from mmact_ssl.errors import ConfigError, DataError
    from mmact_ssl.io.files import write_atomically

    plan = job.plan
    general = VIDEO if plan.is_video else SKELETON
    models = {'start': plan.start or plan.recipe.encoder, general: general}
    models['student'] = str(job.training)
    try:
        table = compare(job.data, models, job.out / 'features')[0]
    except (ConfigError, DataError) as error:  # such as too few labels
        return f'no table: {error}'
    write_atomically(job.table, f'{table}\n')
    return None


def draw_gallery(job: Job) -> None:
    """Write a page of all clips."""
    clips = job.data / 'videos' if job.source.is_video else job.data
    pages, model = job.out / 'gallery', model_of(job)
    index = pages / f'{model.stem}.index'  # features of two models cannot be compared
    words = ['gallery', str(model), str(clips), '--out', str(pages), '--index', str(index)]
    run_tool('visualize', words)


if __name__ == '__main__':
    main()
