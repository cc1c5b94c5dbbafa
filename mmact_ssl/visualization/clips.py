"""Pictures of clips with predicted frames, parts and poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.layouts import LAYOUTS, PartLayout

OPACITY = 0.6
FADED = 0.6  # opacity of a frame under poses
PART_COLUMNS = 4  # frames of a clip whose parts are drawn
COLORS = dict(teacher='#00c853', predicted='#ff6d00', last='#b0bec5')


def make_grid(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """Make a figure of a size in inches, with axes ``[rows, columns]`` without ticks."""
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure, axes


def rasterize(figure: Figure) -> np.ndarray:
    """Pixels of a figure, uint8 ``(H, W, 3)``."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def draw_generated_frames(
    rows: Mapping[str, Mapping[str, np.ndarray]],
    titles: Sequence[str],
    strides: Mapping[str, int],
    first_step: int = 0,
) -> Figure:
    """Draw several rows a clip, such as real above generated frames; columns are time by task.

    Args:
        rows: Label -> task -> its frames, uint8 ``(N, T, R, R, 3)``.
        titles: A name for each clip.
        strides: Task -> frames of the clip between two of the T frames.
        first_step: Number of the task's frames before these.
    """
    first = next(iter(rows.values()))
    columns = [
        f'{task} {strides[task] * (first_step + step) + 1}'
        for task, shown in first.items()
        for step in range(shown.shape[1])
    ]
    count = len(titles)
    size = (1.15 * len(columns) + 0.5, 1.2 * len(rows) * count + 0.4)
    figure, axes = make_grid(len(rows) * count, len(columns), size)
    for offset, (kind, shown) in enumerate(rows.items()):
        strips = np.concatenate(list(shown.values()), axis=1)
        for row, title, strip in zip(axes[offset :: len(rows)], titles, strips):
            row[0].set_ylabel(f'{title}\n{kind}', fontsize=6)
            for axis, frame in zip(row, strip):
                axis.imshow(frame, interpolation='bilinear')
    for axis, column in zip(axes[0], columns):
        axis.set_title(column, fontsize=8)
    return figure


def draw_overview(
    columns: Mapping[str, np.ndarray],
    poses: Mapping[str, tuple[np.ndarray, np.ndarray]],
    last: np.ndarray,
    layout: str,
    titles: Sequence[str],
) -> Figure:
    """Draw one row a clip: frames side by side under their headings, some with poses over them.

    Args:
        columns: Heading -> a frame of each clip, uint8 ``(N, H, W, 3)`` of any size.
        poses: Heading -> the teacher's and the predicted poses there, ``(N, V, 3)``, ``(N, V, 2)``.
        last, layout, titles: As in :func:`draw_predicted_poses`.
    """
    count, side = len(titles), 2.0
    size = (side * len(columns) + 0.3, side * count + 0.9)
    figure, axes = make_grid(count, len(columns), size)
    for column, (heading, frames) in zip(axes.T, columns.items()):
        column[0].set_title(heading, fontsize=11)
        for clip, axis in enumerate(column):
            axis.imshow(
                frames[clip], interpolation='bicubic', alpha=FADED if heading in poses else 1
            )
            if heading in poses:
                teacher, predicted = poses[heading]
                draw_poses(axis, teacher[clip], predicted[clip], last[clip], layout)
    for axis, title in zip(axes[:, 0], titles):
        axis.set_ylabel(title, fontsize=10)
    add_pose_legend(figure, fontsize=11)
    return figure


def part_numbers(maps: np.ndarray) -> np.ndarray:
    """Most probable part at each pixel, int ``(..., h, w)``, 0 = background.

    Args:
        maps: ``(..., C, h, w)``, 0..1; C = 1 is a map of the person.
    """
    if maps.shape[-3] == 1:
        return (maps[..., 0, :, :] > 0.5).astype(np.int64)
    return maps.argmax(axis=-3)


def part_colors(layout: PartLayout) -> dict[str, tuple[float, float, float, float]]:
    """Color, RGBA 0..1, of each part except the background, in the order of their numbers."""
    names = [name for name in layout.names if name != 'background']
    palette = matplotlib.colormaps['tab20'].colors  # type: ignore[attr-defined]
    return {name: (*palette[i % len(palette)], OPACITY) for i, name in enumerate(names)}


def draw_part_maps(
    frames: np.ndarray,
    teacher: np.ndarray,
    student: np.ndarray,
    layout: PartLayout,
    titles: Sequence[str],
) -> Figure:
    """Draw two rows a clip, the teacher's parts above the student's, over frames spread in time.

    Args:
        frames: uint8 ``(N, T, H, W, 3)``.
        teacher, student: ``(N, T, C, h, w)``, 0..1.
        layout: Layout of the C parts.
        titles: A name for each clip.
    """
    count, time, height, width = frames.shape[:4]
    steps = spread_frames(time, min(PART_COLUMNS, time))
    colors = part_colors(layout)
    table = np.array([(0.0, 0.0, 0.0, 0.0), *colors.values()])
    size = (1.6 * len(steps) + 0.6, 3.4 * count + 0.6)
    figure, axes = make_grid(2 * count, len(steps), size)
    for offset, (name, maps) in enumerate((('teacher', teacher), ('student', student))):
        for clip, row in enumerate(axes[offset::2]):
            row[0].set_ylabel(f'{titles[clip]}\n{name}', fontsize=7)
            for axis, step in zip(row, steps):
                axis.imshow(frames[clip, step])
                parts = table[part_numbers(maps[clip, step])]  # stretched to the frame
                axis.imshow(parts, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    patches = [Patch(color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=patches, loc='outside lower center', ncols=4, fontsize=7)
    return figure


def draw_predicted_poses(
    frames: np.ndarray,
    teacher: np.ndarray,
    predicted: np.ndarray,
    last: np.ndarray,
    layout: str,
    titles: Sequence[str],
    first_step: int = 0,
) -> Figure:
    """Draw the teacher's, predicted and last observed pose: a row a clip, a column a future frame.

    Args:
        frames: uint8 ``(N, T, H, W, 3)``, the future frames.
        teacher: ``(N, T, V, 3)``: x, y as fractions of the frame, visibility (0: joint not drawn).
        predicted: ``(N, T, V, 2)``, fractions of the frame.
        last: ``(N, V, 3)``, the last observed pose, a trivial prediction.
        layout: Name of the skeleton layout.
        titles: A name for each clip.
        first_step: Position in time of the first of the T frames, from 0.
    """
    count, time = frames.shape[:2]
    figure, axes = make_grid(count, time, (max(3.2, 1.6 * time), 1.75 * count + 0.5))
    for (clip, step), axis in np.ndenumerate(axes):
        axis.imshow(frames[clip, step], alpha=FADED)
        draw_poses(axis, teacher[clip, step], predicted[clip, step], last[clip], layout)
    for step, axis in enumerate(axes[0]):
        axis.set_title(f'future {first_step + step + 1}', fontsize=8)
    for axis, title in zip(axes[:, 0], titles):
        axis.set_ylabel(title, fontsize=7)
    add_pose_legend(figure, fontsize=8)
    return figure


def draw_poses(
    axis: Axes, teacher: np.ndarray, predicted: np.ndarray, last: np.ndarray, layout: str
) -> None:
    """Draw the poses of a frame over its picture.

    Args:
        teacher: ``(V, 3)``, see :func:`draw_predicted_poses`.
        predicted: ``(V, 2)``, drawn for the joints that the teacher sees.
        last: ``(V, 3)``.
        layout: Name of the skeleton layout.
    """
    height, width = axis.get_images()[0].get_size()
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    seen = teacher[:, 2] > 0
    for name, pose, shown in (
        ('last', last[:, :2], last[:, 2] > 0),
        ('teacher', teacher[:, :2], seen),
        ('predicted', predicted, seen),
    ):
        for limb in map(list, LAYOUTS[layout].limbs):
            if shown[limb].all():
                ends = pose[limb] * (width, height) - 0.5  # a pixel's middle is at a whole number
                axis.plot(*ends.T, color=COLORS[name], linewidth=1.5, label=name)


def add_pose_legend(figure: Figure, fontsize: int) -> None:
    """Add a legend of the poses' colors below a figure."""
    # Any single picture may lack poses.
    lines = [line for axis in figure.axes for line in axis.get_lines()]
    names = {str(line.get_label()): line for line in lines}
    figure.legend(
        [*names.values()], [*names], loc='outside lower center', ncols=3, fontsize=fontsize
    )
