"""Pictures of clips with predicted frames, parts and poses, and of their nearest clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.layouts import LAYOUTS, PartLayout

NO_TICKS: dict[str, list[float]] = dict(xticks=[], yticks=[])
PART_OPACITY = FRAME_OPACITY = 0.6  # of parts over a frame, and of a frame under poses
PART_COLUMNS = 4  # frames of a clip whose parts are drawn
COLORS = dict(teacher='#00c853', predicted='#ff6d00', last='#b0bec5')
FOUND = 4  # clips shown for a search
# Caption and color of the frame around a clip: the query, a clip of the same video, any other.
QUERY, SAME_VIDEO, OTHER = ('searches', '#f57c00'), ('same video', '#00a843'), ('', '#b0bec5')


def make_grid(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """Make a figure of a size in inches, with axes ``[rows, columns]`` without ticks."""
    figure = Figure(figsize=size, layout='constrained')
    return figure, figure.subplots(rows, columns, squeeze=False, subplot_kw=NO_TICKS)


def draw_generated_frames(
    rows: Mapping[str, Mapping[str, np.ndarray]], titles: Sequence[str], strides: Mapping[str, int]
) -> Figure:
    """Draw several rows per clip, such as real above generated frames; a column is a task's step.

    Args:
        rows: Label -> task -> its frames, uint8 ``(N, T, R, R, 3)``.
        strides: Task -> frames of the clip between two of the T frames.
    """
    first = next(iter(rows.values()))
    headings = [
        f'{task} {strides[task] * step + 1}'
        for task, shown in first.items()
        for step in range(shown.shape[1])
    ]
    count = len(titles)
    size = (1.15 * len(headings) + 0.5, 1.2 * len(rows) * count + 0.4)
    figure, axes = make_grid(len(rows) * count, len(headings), size)
    for offset, (kind, shown) in enumerate(rows.items()):
        strips = np.concatenate(list(shown.values()), axis=1)
        for row, title, strip in zip(axes[offset :: len(rows)], titles, strips):
            row[0].set_ylabel(f'{title}\n{kind}', fontsize=6)
            for axis, frame in zip(row, strip):
                axis.imshow(frame, interpolation='bilinear')
    for axis, heading in zip(axes[0], headings):
        axis.set_title(heading, fontsize=8)
    return figure


def draw_overview(
    pictures: Mapping[str, np.ndarray],
    poses: Mapping[str, tuple[np.ndarray, np.ndarray]],
    last: np.ndarray,
    layout: str,
    titles: Sequence[str],
) -> Figure:
    """Draw one row per clip: frames side by side under their headings, some with poses over them.

    Args:
        pictures: Heading -> a frame of each clip, uint8 ``(N, H, W, 3)`` of any size.
        poses: Heading -> the teacher's poses there, ``(N, V, 3)``: x, y as fractions of the frame,
            visibility (0: joint not drawn); and the predicted ones, ``(N, V, 2)``, fractions.
        last: ``(N, V, 3)``, the last observed poses, a trivial prediction.
    """
    count, side = len(titles), 2.0
    size = (side * len(pictures) + 0.3, side * count + 0.9)
    figure, axes = make_grid(count, len(pictures), size)
    for column, (heading, frames) in zip(axes.T, pictures.items()):
        column[0].set_title(heading, fontsize=11)
        opacity = FRAME_OPACITY if heading in poses else 1
        for clip, axis in enumerate(column):
            axis.imshow(frames[clip], interpolation='bicubic', alpha=opacity)
            if heading in poses:
                teacher, predicted = poses[heading]
                draw_poses(axis, teacher[clip], predicted[clip], last[clip], layout)
    for axis, title in zip(axes[:, 0], titles):
        axis.set_ylabel(title, fontsize=10)
    # The legend names each kind of pose once, from whichever pictures show it.
    lines = [line for axis in figure.axes for line in axis.get_lines()]
    names = {str(line.get_label()): line for line in lines}
    figure.legend([*names.values()], [*names], loc='outside lower center', ncols=3, fontsize=11)
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
    return {name: (*palette[i % len(palette)], PART_OPACITY) for i, name in enumerate(names)}


def draw_part_maps(
    frames: np.ndarray,
    teacher: np.ndarray,
    student: np.ndarray,
    layout: PartLayout,
    titles: Sequence[str],
) -> Figure:
    """Draw two rows per clip, the teacher's parts above the student's, on frames spread in time.

    Args:
        frames: uint8 ``(N, T, H, W, 3)``.
        teacher, student: ``(N, T, C, h, w)``, 0..1.
        layout: Layout of the C parts.
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
                parts = table[part_numbers(maps[clip, step])]  # (h, w, 4), stretched to (H, W)
                axis.imshow(parts, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    patches = [Patch(color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=patches, loc='outside lower center', ncols=4, fontsize=7)
    return figure


def draw_poses(
    axis: Axes, teacher: np.ndarray, predicted: np.ndarray, last: np.ndarray, layout: str
) -> None:
    """Draw the poses of a frame over its picture.

    Args:
        teacher: ``(V, 3)``, see :func:`draw_overview`.
        predicted: ``(V, 2)``, drawn for the joints that the teacher sees.
        last: ``(V, 3)``.
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


def draw_neighbors(
    searches: Mapping[str, Tensor], frames: Sequence[np.ndarray], names: Sequence[str], queries: int
) -> Figure:
    """Draw the second clips nearest to the first clip of some videos, a row for each search.

    Args:
        searches: Title -> cosines ``(N, N)`` of first clips (rows) with second clips (columns).
        frames: Frames of the N first and the N second clips, uint8 ``(N, T, H, W, 3)``. The first,
            the middle and the last frame are shown.
        queries: Number of videos that search, the first ones of the batch.
    """
    first, second = (  # strips: three frames side by side
        [np.concatenate(clip[[0, len(clip) // 2, -1]], axis=1) for clip in part] for part in frames
    )
    searched = [(query, title) for query in range(min(queries, len(names))) for title in searches]
    height, width = first[0].shape[:2]
    count = 1 + min(FOUND, len(names))  # of clips in a row
    size = (count * (0.75 * width / height + 0.2), 1.6 * len(searched) + 0.2)
    figure = Figure(figsize=size, layout='constrained')
    rows = figure.subfigures(len(searched), 1, squeeze=False)[:, 0]
    for row, (query, title) in zip(rows, searched):
        row.suptitle(title, x=0.01, ha='left', fontsize=9)
        cosines = searches[title][query]
        shown = [(names[query], first[query], QUERY)]
        for rank, place in enumerate(cosines.argsort(descending=True)[:FOUND].tolist(), start=1):
            mark = SAME_VIDEO if place == query else OTHER
            name = f'{rank}. {names[place]} ({cosines[place]:.2f})'
            shown.append((name, second[place], mark))
        axes = row.subplots(1, count, subplot_kw=NO_TICKS)
        for axis, (name, strip, (caption, color)) in zip(axes, shown):
            axis.imshow(strip)
            axis.set_title(name, fontsize=7)
            axis.set_xlabel(caption, fontsize=7, color=color)
            axis.spines[:].set_color(color)
            axis.spines[:].set_linewidth(2.5 if caption else 0.8)
    return figure
