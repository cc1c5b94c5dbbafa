"""Part maps are drawn where they lie on the frame, in the colors that the legend names."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import same_color

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.visualization import draw_part_maps
from mmact_ssl.visualization.parts import part_colors, part_numbers

LAYOUT = PART_LAYOUTS['pascal_person']


def test_the_most_probable_part_is_named_and_a_person_alone_from_a_half_on():
    maps = np.zeros((2, 7, 3, 3))
    maps[:, 0] = 0.4
    maps[0, 3, 1, 2] = 0.6
    expected = np.zeros((2, 3, 3))
    expected[0, 1, 2] = 3
    np.testing.assert_array_equal(part_numbers(maps), expected)
    person = np.array([[[0.5, 0.51], [0.2, 1.0]]])
    np.testing.assert_array_equal(part_numbers(person), [[0, 1], [0, 1]])


def test_teacher_above_student_on_frames_spread_in_time():
    frames = np.random.default_rng(0).integers(0, 255, (2, 7, 12, 16, 3), np.uint8)
    teacher, student = np.zeros((2, 7, 7, 6, 8)), np.zeros((2, 7, 7, 6, 8))
    teacher[:, :, 1] = student[:, :, 2] = 1
    figure = draw_part_maps(frames, teacher, student, LAYOUT, ['one', 'two'], columns=3)
    axes = np.array(figure.axes).reshape(4, 3)
    colors = part_colors(LAYOUT)
    for row, (clip, name) in enumerate(
        [(0, 'one\nteacher'), (0, 'one\nstudent'), (1, 'two\nteacher'), (1, 'two\nstudent')]
    ):
        assert axes[row, 0].get_ylabel() == name
        for axis, step in zip(axes[row], (0, 3, 6)):
            frame, parts = axis.get_images()
            np.testing.assert_array_equal(frame.get_array(), frames[clip, step])
            assert parts.get_extent() == [-0.5, 15.5, 11.5, -0.5]
            shown = parts.get_array().reshape(-1, 4)
            assert (shown == colors['head' if name.endswith('teacher') else 'torso']).all()
    legend = figure.legends[0]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == list(LAYOUT.names[1:])
    assert all(
        same_color(patch.get_facecolor(), colors[name])
        for patch, name in zip(legend.get_patches(), texts)
    )
