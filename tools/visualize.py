#!/usr/bin/env python
"""Draw what a pre-trained model predicts on clips that it never saw.

    python tools/visualize.py configs/csvr_r3d_demo.py work_dirs/csvr_r3d_demo/epoch_16.pth

writes ``poses.png`` (predicted, true and last observed poses over time), ``frames.png`` (generated
current and future frames below the real ones), ``parts.png`` (the student's part maps below the
teacher's) and ``neighbors.png`` (which of some videos each teacher finds most like a clip, and
which the student that it guides) for the tasks that the model has. Of part maps it says how well
they fit the teacher's, and those of the mirrored clip.

    python tools/visualize.py conflict work_dirs/hcpg_r3d_demo

writes ``conflict.png``, how the tasks' gradients agreed over a training with GradientConflictHook.

    python tools/visualize.py gallery configs/downstream/linear_gru-streams_nwucla.py CHECKPOINT \
        --clip-texts data/nwucla/targets/prompts.lmdb \
        --sentences data/nwucla/sentences_kinematic.json

writes ``gallery.png``, the test clips that sentences find after a pre-training with sentences.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint

import mmact_ssl  # noqa: F401  the fixes come before any model is imported
from mmact_ssl.engine.hooks.gradient_conflict_hook import FILE_NAME
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.evaluation.neighbors import guidance_neighbors
from mmact_ssl.evaluation.part_flip import find_part_layout, judge_part_maps
from mmact_ssl.models.heads import ParsingDistillationHead, TeacherGuidanceHead
from mmact_ssl.models.networks.video_gan import resize_frames
from mmact_ssl.registry import MODELS
from mmact_ssl.visualization import (
    draw_conflict,
    draw_gallery,
    draw_generated_frames,
    draw_part_maps,
    draw_predicted_poses,
    read_conflict,
)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line of the pictures of a pre-trained model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the pre-training')
    parser.add_argument('checkpoint', help='checkpoint that it wrote')
    parser.add_argument('--out', help='folder of the pictures, that of the checkpoint by default')
    parser.add_argument('--num-clips', type=int, default=4)
    parser.add_argument('--pool', type=int, default=64, help='videos that neighbors come from')
    parser.add_argument('--seed', type=int, default=0, help='which clips to draw')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args(argv)


def to_images(model: Any, frames: torch.Tensor) -> np.ndarray:
    """Normalized ``[N, 3, T, H, W]`` to uint8 ``[N, T, H, W, 3]``."""
    images = model.data_preprocessor.denormalize(frames)
    return images.permute(0, 2, 3, 4, 1).to(torch.uint8).numpy()


def draw_batch(config: Config, size: int, seed: int) -> dict:
    """The first ``size`` clips of the test split, in an order that the seed draws."""
    loader_config = config.test_dataloader
    loader_config.update(batch_size=size, num_workers=0)
    loader_config.pop('persistent_workers', None)
    loader_config.sampler.shuffle = True
    return next(iter(Runner.build_dataloader(loader_config, seed=seed)))


@torch.no_grad()
def find_neighbors(model: Any, task: str, batch: dict, queries: int) -> Figure:
    """What clips find by the teachers of a guided student, and by the student."""
    head = model.heads[task]
    data = model.data_preprocessor(batch)
    sources = model.sources(data['inputs'], data['targets'], data['data_samples'])
    similarities = head.similarities(**{name: sources[key] for name, key in head.reads.items()})
    frames = [to_images(model, data['inputs'][view]) for view in head.views]
    names = [Path(sample.filename).stem for sample in data['data_samples']]
    return draw_gallery(*guidance_neighbors(similarities, frames, names, queries))


def draw_conflicts(argv: list[str]) -> None:
    """The command ``conflict``."""
    parser = argparse.ArgumentParser(prog='visualize.py conflict')
    parser.add_argument('work_dirs', nargs='+', help='work dirs of trainings with the hook')
    for work_dir in map(Path, parser.parse_args(argv).work_dirs):
        picture = work_dir / 'conflict.png'
        draw_conflict(read_conflict(work_dir / FILE_NAME), work_dir.name).savefig(picture, dpi=130)
        print(picture)


def draw_text_gallery(argv: list[str]) -> None:
    """The command ``gallery``."""
    # Needed here only: it imports mmaction2.
    from mmact_ssl.evaluation.gallery import text_gallery

    parser = argparse.ArgumentParser(prog='visualize.py gallery')
    parser.add_argument('config', help='downstream config of skeletons')
    parser.add_argument('checkpoint', help='of a pre-training with sentences')
    parser.add_argument('--clip-texts', required=True, metavar='CACHE', help='embedded sentences')
    parser.add_argument('--sentences', required=True, metavar='FILE', help='JSON of that cache')
    parser.add_argument('--queries', type=int, default=6, help='sentences')
    parser.add_argument('--top', type=int, default=5, help='clips that each finds')
    parser.add_argument('--frames', type=int, default=5, help='of a clip')
    parser.add_argument('--seed', type=int, default=0, help='which sentences')
    parser.add_argument('--out', help='folder of the picture, that of the checkpoint by default')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    texts = args.clip_texts, args.sentences
    numbers = args.queries, args.top, args.frames, args.seed
    found = text_gallery(config, args.checkpoint, *texts, *numbers)
    picture = Path(args.out or Path(args.checkpoint).parent) / 'gallery.png'
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw_gallery(*found).savefig(picture, dpi=130)
    print(picture)


@one_line_errors()
def main(argv: Optional[list[str]] = None) -> None:
    """Draw what the command line asks for."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ['conflict']:
        draw_conflicts(argv[1:])
        return
    if argv[:1] == ['gallery']:
        draw_text_gallery(argv[1:])
        return
    args = parse_args(argv)
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    if 'test_dataloader' not in config:
        raise ConfigError(f'{args.config}: has no test_dataloader to take unseen clips from')
    init_default_scope('mmact_ssl')
    model = MODELS.build(config.model).eval()
    load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)

    with torch.no_grad():
        data = model.data_preprocessor(draw_batch(config, args.num_clips, args.seed))
        samples = model(**data, mode='predict')
    inputs, targets = data['inputs'], data['targets']
    titles = [Path(sample.filename).stem for sample in data['data_samples']]
    out = Path(args.out or Path(args.checkpoint).parent)
    out.mkdir(parents=True, exist_ok=True)

    figures = {}
    if 'pose' in samples[0]:
        pipeline = config.test_dataloader.dataset.pipeline
        layout = next(part.layout for part in pipeline if part.type == 'LoadTargets')
        weight = targets['future_pose'] * targets['future_valid'][..., None, None]
        true = torch.cat([targets['future_pose'][..., :2], weight[..., 2:]], dim=-1)
        figures['poses'] = draw_predicted_poses(
            to_images(model, inputs['future']),
            true.numpy(),
            np.stack([sample['pose']['poses'].numpy() for sample in samples]),
            targets['clip_pose'][:, -1].numpy(),
            layout,
            titles,
        )
    if 'video' in samples[0]:
        stride = model.heads['video'].frame_stride
        generated = {
            name: torch.stack([sample['video'][name] for sample in samples])
            for name in ('current', 'future')
        }
        side = generated['current'].shape[-1]
        real = {
            name: resize_frames(inputs[view][:, :, ::stride], side)
            for name, view in (('current', 'clip'), ('future', 'future'))
        }
        figures['frames'] = draw_generated_frames(
            {name: to_images(model, frames) for name, frames in real.items()},
            {name: to_images(model, frames) for name, frames in generated.items()},
            titles,
        )
    for task, head in model.heads.items():
        if isinstance(head, ParsingDistillationHead):
            layout = find_part_layout(model, task, config.test_dataloader.dataset.pipeline)
            judged = judge_part_maps(model, task, data, layout)
            print(judged.summary())
            figures['parts'] = draw_part_maps(
                to_images(model, inputs[head.reads['features'].split('.')[0]]),
                judged.teacher.numpy(),
                judged.student.numpy(),
                layout,
                [f'{title} IoU {iou:.2f}' for title, iou in zip(titles, judged.overlap.tolist())],
            )
        if isinstance(head, TeacherGuidanceHead):
            pool = draw_batch(config, args.pool, args.seed)
            figures['neighbors'] = find_neighbors(model, task, pool, args.num_clips)
    if not figures:
        raise ConfigError(
            f'{args.config}: there is no picture of its tasks ({", ".join(model.heads)}), but of '
            'pose, video, parsing and guidance; sentences are drawn by `visualize.py gallery`'
        )
    for name, figure in figures.items():
        figure.savefig(out / f'{name}.png', dpi=130)
        print(out / f'{name}.png')


if __name__ == '__main__':
    main()
