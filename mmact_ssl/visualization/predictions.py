"""Pictures of a pre-trained model's predictions on clips of its test split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from mmengine.config import Config
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS, PartLayout
from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.data_preprocessor import PretextDataPreprocessor
from mmact_ssl.models.dependence import features_of_another_clip
from mmact_ssl.models.heads.contrast import ContrastHead
from mmact_ssl.models.heads.frame_generation import FrameGenerationHead
from mmact_ssl.models.heads.masked_motion import MaskedMotionHead
from mmact_ssl.models.heads.masked_pixels import MaskedPixelHead
from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.heads.pose_prediction import PosePredictionHead
from mmact_ssl.models.heads.redundancy import RedundancyHead
from mmact_ssl.models.heads.self_distillation import SelfDistillationHead
from mmact_ssl.models.heads.teacher_guidance import TeacherGuidanceHead
from mmact_ssl.models.masks import hide_masked
from mmact_ssl.models.networks.video_gan import resize_frames
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.saved_run import find_value

from .clips import (
    draw_generated_frames,
    draw_overview,
    draw_part_maps,
    draw_predicted_poses,
)
from .gallery import draw_gallery, nearest_clips
from .stick_figures import draw_skeletons

# Heads that project each view of a clip.
VIEW_HEADS = (ContrastHead, RedundancyHead, SelfDistillationHead)
# Added to y of the drawn joints, which have any origin: joints at 0 are not drawn.
FAR = 100
# A figure, or one for each time step.
Picture = Figure | list[Figure]


class Predictions:
    """Random clips of a pre-training's test split, and the heads' predictions on them."""

    def __init__(self, model: MultiTaskPretrainer, cfg: Config, count: int) -> None:
        self.model, self.pipeline = model, cfg.test_dataloader.dataset.pipeline
        self.layout = find_value(cfg.model.backbone, 'layout')
        loader = {**cfg.test_dataloader, 'batch_size': count, 'num_workers': 0}
        loader.pop('persistent_workers', None)
        loader['sampler'] = {**loader['sampler'], 'shuffle': True}
        batch = next(iter(build_dataloader(loader, seed=0)))
        with torch.no_grad():
            self.data = model.data_preprocessor(batch)
            self.samples = model(**self.data, mode='predict')
        self.inputs, self.targets = self.data['inputs'], self.data['targets']
        self.titles = [Path(sample.filename).stem for sample in self.data['data_samples']]

    def stack(self, task: str, name: str) -> Tensor:
        """A task's predictions of a name, stacked over all clips."""
        return torch.stack([sample[task][name] for sample in self.samples])

    def images(self, frames: Tensor) -> Any:
        """Convert normalized frames ``(N, 3, T, H, W)`` to uint8 ``(N, T, H, W, 3)``."""
        images = self.model.data_preprocessor.denormalize(frames)
        return images.permute(0, 2, 3, 4, 1).to(torch.uint8).numpy()

    def poses(self, task: str, animate: bool) -> Picture:
        """Draw predicted, the teacher's and last observed poses over time."""
        teacher, layout = self.teacher_poses()
        images, predicted = self.images(self.inputs['future']), self.stack(task, 'poses').numpy()

        def draw(steps: slice) -> Figure:
            return draw_predicted_poses(
                images[:, steps],
                teacher[:, steps],
                predicted[:, steps],
                self.targets['clip']['pose'][:, -1].numpy(),
                layout,
                self.titles,
                steps.start,
            )

        return over_time(draw, images.shape[1], animate)

    def teacher_poses(self) -> tuple[np.ndarray, str]:
        """The teacher's future poses ``(N, T, V, 3)``, invisible in padded frames, and layout."""
        loaded = [step for step in self.pipeline if step.type.endswith('LoadTargets')]
        steps = [step for step in loaded if step.get('target', 'pose') == 'pose']
        layout = steps[0].get('layout', 'default') if steps else 'default'
        future, valid = self.targets['future']['pose'], self.targets['future']['valid']
        teacher = torch.cat([future[..., :2], future[..., 2:] * valid[..., None, None]], dim=-1)
        return teacher.numpy(), 'coco17' if layout == 'default' else layout

    def overview(self, task: str) -> Figure:
        """Draw each clip's last frame, predicted poses over later frames, and generated frames."""
        teacher, layout = self.teacher_poses()
        predicted = self.stack(task, 'poses').numpy()
        real = {view: self.images(self.inputs[view]) for view in ('clip', 'future')}
        columns, poses = {'last frame seen': real['clip'][:, -1]}, {}
        length = real['future'].shape[1]
        for step in sorted({0, length // 2, length - 1}):
            heading = f'future {step + 1}'
            columns[heading] = real['future'][:, step]
            poses[heading] = teacher[:, step], predicted[:, step]
        for name, head in self.model.tasks.items():
            if isinstance(head, FrameGenerationHead):
                generated = self.images(self.stack(name, 'frames'))
                columns[f'{name}, generated'] = generated[:, -1]
        last = self.targets['clip']['pose'][:, -1].numpy()
        return draw_overview(columns, poses, last, layout, self.titles)

    def frames(self, animate: bool) -> Picture:
        """Draw real frames, generated ones, and those generated with another clip's latent.

        There are columns for each task that generates frames.
        """
        rows: dict[str, dict[str, Any]] = {'real': {}, 'generated': {}, "by another's\nlatent": {}}
        strides: dict[str, int] = {}
        with torch.no_grad():
            available = self.model.head_inputs(self.inputs, self.targets, self.data['data_samples'])
        for task, head in self.model.tasks.items():
            if not isinstance(head, FrameGenerationHead):
                continue
            strides[task] = head.frame_stride
            inputs = {name: available[source] for name, source in head.inputs.items()}
            own = self.stack(task, 'frames')
            # The background of later frames stays that of the clip.
            others = features_of_another_clip(head.inputs, inputs, self.model.student_inputs)
            real = resize_frames(inputs['frames'][:, :, :: head.frame_stride], own.shape[-1])
            drawn = (real, own, head.predict(**others)['frames'])
            for row, frames in zip(rows.values(), drawn):
                row[task] = self.images(frames)

        def draw(steps: slice) -> Figure:
            shown = {
                row: {task: frames[:, steps] for task, frames in tasks.items()}
                for row, tasks in rows.items()
            }
            return draw_generated_frames(shown, self.titles, strides, steps.start)

        length = min(frames.shape[1] for frames in rows['real'].values())
        return over_time(draw, length, animate)

    def masked_frames(self, task: str, animate: bool) -> Picture:
        """Draw the frames that the student sees, with the predicted patches, and real ones."""
        view = self.model.tasks[task].inputs['frames']
        real = self.inputs[view]
        rows = {
            'masked': self.images(hide_masked(real, self.targets[view]['mask'])),
            'predicted': self.images(self.stack(task, 'frames')),
            'real': self.images(real),
        }

        def draw(steps: slice) -> Figure:
            shown = {row: {task: frames[:, steps]} for row, frames in rows.items()}
            return draw_generated_frames(shown, self.titles, {task: 1}, steps.start)

        return over_time(draw, real.shape[2], animate)

    def masked_skeletons(self, task: str) -> Figure:
        """Draw the joints that the student sees, the predicted ones, and all real ones.

        Columns are the last frames of the segments.
        """
        head = cast(MaskedMotionHead, self.model.tasks[task])
        view, last = head.inputs['clip'], slice(head.segment - 1, None, head.segment)
        real = self.inputs[view][:, :, last, :, : head.coordinates].clone()
        predicted = self.stack(task, 'coordinates')[:, :, last].clone()
        for values in (real, predicted):
            values[..., 1] += FAR
        valid = self.targets[view]['valid'][:, :, last, None, None]
        rows = {
            'masked': real.masked_fill(self.targets[view]['mask'], 0),
            'predicted': predicted,
            'real': real,
        }
        # All rows of a clip in one call, so that they have one scale.
        joined = torch.cat([values.where(valid, 0) for values in rows.values()], dim=2).numpy()
        layout = LAYOUTS[self.layout]
        drawn = np.stack([draw_skeletons(clip, layout, clip.shape[1]) for clip in joined])
        shown = {row: {task: part} for row, part in zip(rows, np.split(drawn, 3, axis=1))}
        figure = draw_generated_frames(shown, self.titles, {task: 1})
        for number, axis in enumerate(figure.axes[: drawn.shape[1] // 3], start=1):
            axis.set_title(f'frame {head.segment * number}', fontsize=8)
        return figure

    def parts(self, task: str) -> tuple[Figure, str]:
        """Draw the student's part maps below the teacher's; also return a line about their IoU."""
        head = self.model.tasks[task]
        view = head.inputs['features'].split('.')[0]
        with torch.no_grad():
            read = self.model.head_inputs(self.inputs, self.targets, self.data['data_samples'])
        overlaps = self.stack(task, 'mean_iou')
        figure = draw_part_maps(
            self.images(self.inputs[view]),
            read[head.inputs['parts']].numpy(),
            self.stack(task, 'maps').numpy(),
            find_part_layout(self.model, task, self.pipeline),
            [f'{title} IoU {iou:.2f}' for title, iou in zip(self.titles, overlaps.tolist())],
        )
        return figure, f"mean IoU with the teacher's parts: {overlaps.nanmean():.2f}"

    def neighbors(self, task: str, head: TeacherGuidanceHead, queries: int) -> Figure:
        """Draw the nearest clips by the teachers of a guided student, and by the student."""
        searches = {}
        for name in head.projectors:
            searches[f'{name}: the teacher itself'] = self.stack(task, f'{name}_own_similarity')
            searches[f'{name}: the student'] = self.stack(task, f'{name}_similarity')
        frames = [self.images(self.inputs[view]) for view in head.views]
        return draw_gallery(*nearest_clips(searches, frames, self.titles, queries))

    def view_neighbors(self, task: str, queries: int) -> Figure:
        """Draw the second views nearest to first ones by the projections of a task."""
        first, second = list(self.model.tasks[task].inputs)[:2]
        rows = F.normalize(self.stack(task, 'projection'), dim=2)  # (N, views, E)
        searches = {f'{task}: {second} nearest to {first}': rows[:, 0] @ rows[:, 1].T}
        frames = [self.images(self.inputs[view]) for view in (first, second)]
        return draw_gallery(*nearest_clips(searches, frames, self.titles, queries))


def find_part_layout(
    model: MultiTaskPretrainer, task: str, pipeline: Sequence[Mapping[str, Any]]
) -> PartLayout:
    """Layout of a head's parts, from its online teacher or the pipeline's ``LoadTargets``.

    Raises:
        ConfigError: Neither names a layout.
    """
    source = model.tasks[task].inputs['parts']
    target = source.split('.')[2]
    steps = [step for step in pipeline if step['type'].endswith('LoadTargets')]
    names = [step.get('layout') for step in steps if step.get('target') == target]
    if target in model.teachers:
        names.append(cast(BaseTeacher, model.teachers[target]).layout)
    name = names[0] if names else None
    if name not in PART_LAYOUTS:
        raise ConfigError(
            f'the layout of {source!r} is {name!r}: give LoadTargets, or model.teachers.{target}, '
            f'one of {", ".join(PART_LAYOUTS)}'
        )
    return PART_LAYOUTS[name]


def over_time(draw: Callable[[slice], Figure], length: int, animate: bool) -> Picture:
    """Draw one picture of all steps, or one of each step."""
    if animate:
        return [draw(slice(step, step + 1)) for step in range(length)]
    return draw(slice(0, None))


def draw_predictions(
    model: MultiTaskPretrainer,
    cfg: Config,
    num_clips: int = 4,
    pool: int = 64,
    animate: bool = False,
) -> tuple[dict[str, Picture], list[str]]:
    """Draw the predictions of a model's tasks, as far as they have a picture.

    Args:
        model: Model in evaluation mode.
        cfg: Config of the pre-training.
        num_clips: Number of clips to draw.
        pool: Number of videos to search for neighbors.
        animate: Draw a figure for each step of poses and frames.

    Returns:
        Figures by name, and lines of text about them.
    """
    clips = Predictions(model, cfg, num_clips)
    of_videos = isinstance(model.data_preprocessor, PretextDataPreprocessor)
    figures: dict[str, Picture] = {}
    lines = []
    for task, head in model.tasks.items():
        if isinstance(head, PosePredictionHead):
            figures['overview'] = clips.overview(task)
            figures['poses'] = clips.poses(task, animate)
        elif isinstance(head, FrameGenerationHead):
            figures['frames'] = figures.get('frames') or clips.frames(animate)
        elif isinstance(head, MaskedPixelHead):
            figures['masked'] = clips.masked_frames(task, animate)
        elif isinstance(head, MaskedMotionHead):
            figures['masked'] = clips.masked_skeletons(task)
        elif isinstance(head, ParsingDistillationHead):
            figures['parts'], line = clips.parts(task)
            lines.append(line)
        elif isinstance(head, TeacherGuidanceHead):
            videos = Predictions(model, cfg, pool)
            figures['neighbors'] = videos.neighbors(task, head, num_clips)
        elif isinstance(head, VIEW_HEADS) and of_videos and 'neighbors' not in figures:
            videos = Predictions(model, cfg, pool)
            figures['neighbors'] = videos.view_neighbors(task, num_clips)
    if not figures:
        raise ConfigError(
            f'{cfg.filename}: no picture of its tasks ({", ".join(model.tasks)}): publish the '
            'student, and see its nearest clips by `visualize.py gallery`'
        )
    return figures, lines
