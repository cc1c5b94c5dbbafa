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
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
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


def plan_steps(args: argparse.Namespace) -> tuple[Job, list[Step]]:
    """Read the folder and what an earlier call has recorded, and list the steps in their order."""
    from mmact_ssl.apis.pretrain_plan import Job, make_plan
    from mmact_ssl.apis.source_folder import find_source
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.io.files import shown
    from mmact_ssl.preparation.small_copies import FRAMES, SHORT_SIDE

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
    plan = job.plan = plan or make_plan(source, asked, load_tool('prepare').main)
    clips = ' '.join(['one file of all clips', *source.words[3:]])
    if source.is_video:
        clips = f'copies of {FRAMES} frames, short side {SHORT_SIDE}; links to smaller ones'
    steps: list[Step] = [Prepare(job, clips, [str(source.path.resolve()), *job.labeled])]
    if source.is_video:
        names = ', '.join(Path(name.removesuffix('.py')).name for name in plan.teachers)
        teachers = f'of {names} ({plan.note})'
        steps += [Targets(job, teachers, job.state)]
    training = f'{plan.recipe.name}: {plan.epochs} epochs, {plan.steps} steps'
    steps += [Train(job, training, record.number)]
    if source.is_labeled:
        compared = 'start, general model and student'
        steps += [Evaluate(job, compared, [*job.labeled, record.number])]
    steps += [Publish(job, 'a file with weights and card', record.number)]
    return job, [*steps, Gallery(job, 'a page of all clips', [job.state, record.number])]


@dataclass(frozen=True)
class Step:
    """A step of a run; it runs again if what it is ``made_from``, by the record, changes."""

    job: Job
    description: str
    made_from: Any

    @property
    def name(self) -> str:
        """Name of the class in small letters, also the key in the files of a run."""
        return type(self).__name__.lower()

    def left(self) -> float:
        """Estimate of the seconds that are left."""
        return 0 if self.is_done() else self.job.plan.seconds.get(self.name, 0)

    def is_done(self) -> bool:
        """True if it has run, and its input is the same."""
        return self.made_from == self.job.recorded.steps.get(self.name)

    def run(self) -> str | None:
        """Do the step by another tool; the reason if it fails and the next ones can be done."""
        raise NotImplementedError


def show_plan(job: Job, steps: list[Step]) -> None:
    """Print the steps with their times."""
    print(f'{job.source.path}: {len(job.now)} files; {job.plan.samples}')
    for step in steps:
        left = 'done' if step.is_done() else str(time_text([step]))
        print(f'  {step.name:8} {left:>10}  {step.description}')
    print(f'about {time_text(steps)} on this machine')
    if not job.source.is_labeled:
        print('no labels, no table: give --labels TABLE, or --labels folders if these are classes')
    if job.note:
        print(job.note)


class Prepare(Step):
    """List what can be read, and make the small copies of videos."""

    def is_done(self) -> bool:
        return not self.job.source.words or super().is_done()

    def run(self) -> None:
        from mmact_ssl.io.files import path_inside, read_annotation

        job, source, listing = self.job, self.job.source, self.job.data / 'train.txt'
        flip = {True: ['--flip'], False: ['--no-flip']}.get(job.plan.asked.get('flip'), [])
        is_again = source.is_video and listing.is_file()
        before = read_annotation(listing, 'give another --out')[0] if is_again else []
        window = ['--window', str(job.plan.window)] if source.is_video else []
        load_tool('prepare').main([*source.words, *window, *flip, '--out', str(job.data)])
        for broken in (job.data / 'targets').glob('*.broken.txt'):
            broken.unlink()  # the videos may be others now
        for name in {*before} - {*read_annotation(listing, '')[0]} if is_again else ():
            # The copy of a video that is gone or cannot be read any more, and no other file.
            path_inside(job.data, name, listing).unlink(missing_ok=True)


class Targets(Step):
    """Run the teachers on copies that are new or have changed."""

    def left(self) -> float:
        return super().left() * (1 - self.job.extracted())

    def run(self) -> None:
        from mmact_ssl.models.teachers.choice import config_of
        from mmact_ssl.preparation.small_copies import FRAMES

        configs, extract = [*map(config_of, self.job.plan.teachers)], load_tool('extract').main
        data = ['--data', str(self.job.data)]
        if configs[2:]:  # first, because its folder may be gone
            extract([*configs[2:], *data, '--every', str(FRAMES)])
        extract([*configs[:2], *data])

    def is_done(self) -> bool:
        return self.job.is_trained or super().is_done()


class Train(Step):
    """Train, from the newest checkpoint if there is one."""

    def left(self) -> float:
        from mmact_ssl.io.checkpoint_file import saved_checkpoints

        saved = saved_checkpoints(self.job.training)
        return super().left() * (1 - (saved[-1][1] / self.job.plan.steps if saved else 0))

    def run(self) -> None:
        job, plan = self.job, self.job.plan
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
        load_tool('train').main([*words, '--cfg-options', *options])


class Evaluate(Step):
    """Compare the start, the general model and the student."""

    def run(self) -> str | None:
        from mmact_ssl.apis.compare import compare
        from mmact_ssl.apis.labeler import SKELETON, VIDEO
        from mmact_ssl.errors import ConfigError, DataError
        from mmact_ssl.io.files import write_atomically

        job, plan = self.job, self.job.plan
        general = VIDEO if plan.is_video else SKELETON
        models = {'start': plan.start or plan.recipe.encoder, general: general}
        models['student'] = str(job.training)
        try:
            table = compare(job.data, models, job.out / 'features')[0]
        except (ConfigError, DataError) as error:  # such as too few labels
            return f'no table: {error}'
        write_atomically(job.table, f'{table}\n')
        return None


class Publish(Step):
    """Publish the student."""

    def is_done(self) -> bool:
        return super().is_done() and model_of(self.job).is_file()

    def run(self) -> None:
        load_tool('publish').main([str(self.job.training), str(self.job.published)])


class Gallery(Step):
    """Write a page of all clips."""

    def run(self) -> None:
        job = self.job
        clips = job.data / 'videos' if job.source.is_video else job.data
        pages, model = job.out / 'gallery', model_of(job)
        index = pages / f'{model.stem}.index'  # features of two models cannot be compared
        words = ['gallery', str(model), str(clips), '--out', str(pages), '--index', str(index)]
        load_tool('visualize').main(words)


def model_of(job: Job) -> Path:
    """The newest published file; the folder of the run before there is one."""
    files = job.out.glob(f'{job.published.name}-????????.safetensors')
    return max(files, key=lambda file: file.stat().st_mtime_ns, default=job.out)


def time_text(steps: Iterable[Step]) -> timedelta:
    """Estimate of what is left of some steps."""
    return timedelta(seconds=round(sum(step.left() for step in steps)))


def show_end(job: Job, failed: list[str]) -> None:
    """Print the table, or why there is none, and where model and gallery are."""
    if job.source.is_labeled and not failed:
        print(job.table.read_text())
    page = job.out / 'gallery' / 'index.html'
    print(*failed, f'model    {model_of(job)}', f'gallery  {page.as_uri()}', sep='\n')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        job, steps = plan_steps(args)
        show_plan(job, steps)
        if args.dry_run:
            return
        job.write()
        failed = []
        for number, step in enumerate(steps, 1):
            if step.is_done():
                continue
            title = f'\n[{number}/{len(steps)}] {step.name}: {step.description}'
            print(f'{title}; about {time_text([step])} of {time_text(steps)} left', flush=True)
            if reason := step.run():  # not recorded: the next call tries it again
                failed.append(reason)
            else:
                job.recorded.steps[step.name] = step.made_from
                job.write()
        show_end(job, failed)


if __name__ == '__main__':
    main()
