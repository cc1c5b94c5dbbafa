"""Pictures of a pre-trained model's predictions on clips of its test split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from mmact_ssl.io.student_file import find_value
from mmact_ssl.models.data_preprocessor import PretextDataPreprocessor
from mmact_ssl.models.dependence import features_of_another_clip
from mmact_ssl.models.heads.frame_generation import FrameGenerationHead
from mmact_ssl.models.heads.guidance import TeacherGuidanceHead
from mmact_ssl.models.heads.masked_places import MaskedMotionHead, MaskedPixelHead
from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.heads.pose_prediction import PosePredictionHead
from mmact_ssl.models.heads.views import ContrastHead, RedundancyHead, SelfDistillationHead
from mmact_ssl.models.masks import hide_masked
from mmact_ssl.models.networks.video_gan import resize_frames
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.visualization.clips import (
    draw_generated_frames,
    draw_neighbors,
    draw_overview,
    draw_part_maps,
)
from mmact_ssl.visualization.stick_figures import draw_skeletons

# Heads that project each view of a clip.
VIEW_HEADS = (ContrastHead, RedundancyHead, SelfDistillationHead)
# Added to y of the drawn joints, which have any origin: joints at 0 are not drawn.
FAR = 100


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

    def poses(self, task: str) -> Figure:
        """Draw predicted, the teacher's and last observed poses over all future frames."""
        return self.draw_future(task, range(self.inputs['future'].shape[2]))

    def overview(self, task: str) -> Figure:
        """Draw each clip's last frame, predicted poses over later frames, and generated frames."""
        generated = {
            f'{name}, generated': self.images(self.stack(name, 'frames'))[:, -1]
            for name, head in self.model.tasks.items()
            if isinstance(head, FrameGenerationHead)
        }
        length = self.inputs['future'].shape[2]
        steps = sorted({0, length // 2, length - 1})
        seen = self.images(self.inputs['clip'])[:, -1]
        return self.draw_future(task, steps, {'last frame seen': seen}, generated)

    def draw_future(
        self,
        task: str,
        steps: Iterable[int],
        before: Mapping[str, np.ndarray] = {},
        after: Mapping[str, np.ndarray] = {},
    ) -> Figure:
        """Draw poses over some future frames, between columns of frames."""
        loaded = [step for step in self.pipeline if step.type.endswith('LoadTargets')]
        poses_loaded = [step for step in loaded if step.get('target', 'pose') == 'pose']
        layout = poses_loaded[0].get('layout', 'default') if poses_loaded else 'default'
        teacher = self.targets['future']['pose'].numpy().copy()
        teacher[..., 2] *= self.targets['future']['valid'].numpy()[..., None]  # padding is not seen
        predicted = self.stack(task, 'poses').numpy()
        frames = self.images(self.inputs['future'])
        future = {f'future {step + 1}': step for step in steps}
        columns = {**before, **{name: frames[:, step] for name, step in future.items()}, **after}
        poses = {name: (teacher[:, step], predicted[:, step]) for name, step in future.items()}
        last = self.targets['clip']['pose'][:, -1].numpy()
        layout = 'coco17' if layout == 'default' else layout
        return draw_overview(columns, poses, last, layout, self.titles)

    def frames(self) -> Figure:
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
        return draw_generated_frames(rows, self.titles, strides)

    def masked_frames(self, task: str) -> Figure:
        """Draw the frames that the student sees, with the predicted patches, and real ones."""
        view = self.model.tasks[task].inputs['frames']
        real = self.inputs[view]
        rows = {
            'masked': self.images(hide_masked(real, self.targets[view]['mask'])),
            'predicted': self.images(self.stack(task, 'frames')),
            'real': self.images(real),
        }
        shown = {row: {task: frames} for row, frames in rows.items()}
        return draw_generated_frames(shown, self.titles, {task: 1})

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
        return draw_neighbors(searches, frames, self.titles, queries)

    def view_neighbors(self, task: str, queries: int) -> Figure:
        """Draw the second views nearest to first ones by the projections of a task."""
        first, second = list(self.model.tasks[task].inputs)[:2]
        rows = F.normalize(self.stack(task, 'projection'), dim=2)  # (N, views, E)
        searches = {f'{task}: {second} nearest to {first}': rows[:, 0] @ rows[:, 1].T}
        frames = [self.images(self.inputs[view]) for view in (first, second)]
        return draw_neighbors(searches, frames, self.titles, queries)


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


def draw_predictions(
    model: MultiTaskPretrainer, cfg: Config, num_clips: int = 4, pool: int = 64
) -> tuple[dict[str, Figure], list[str]]:
    """Draw the predictions of a model's tasks, as far as they have a picture.

    Args:
        pool: Number of videos to search for neighbors.

    Returns:
        Figures by name, and lines of text about them.
    """
    clips = Predictions(model, cfg, num_clips)
    of_videos = isinstance(model.data_preprocessor, PretextDataPreprocessor)
    figures: dict[str, Figure] = {}
    lines = []
    for task, head in model.tasks.items():
        if isinstance(head, PosePredictionHead):
            figures['overview'] = clips.overview(task)
            figures['poses'] = clips.poses(task)
        elif isinstance(head, FrameGenerationHead):
            figures['frames'] = figures.get('frames') or clips.frames()
        elif isinstance(head, MaskedPixelHead):
            figures['masked'] = clips.masked_frames(task)
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
