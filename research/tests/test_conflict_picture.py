"""The picture of conflicts: what is read, and what is drawn of it."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from research.gradient_conflict import (
    MOST_LINES,
    draw_conflict,
    read_conflict,
    running_mean,
    summarize_conflict,
)


def record(step: int, tasks: str = 'abc', cosine: float | None = 0.1) -> dict:
    return dict(
        epoch=1,
        step=step,
        norms={task: 1.0 + ord(task) for task in tasks},
        cosines={f'{a}~{b}': cosine for a, b in combinations(tasks, 2)},
    )


def write(path, records: list[dict], rest: str = '') -> None:
    path.write_text(''.join(json.dumps(one) + '\n' for one in records) + rest)


def test_a_line_that_a_killed_training_left_half_is_not_read(tmp_path):
    path = tmp_path / 'conflict.jsonl'
    write(path, [record(1), record(11)], '{"epoch": 2, "st')
    assert [one['step'] for one in read_conflict(path)] == [1, 11]


def test_bad_files_are_named(tmp_path):
    with pytest.raises(DataError, match='GradientConflictHook'):
        read_conflict(tmp_path / 'none.jsonl')
    path = tmp_path / 'conflict.jsonl'
    path.write_text('half a li')
    with pytest.raises(DataError, match='no measurement'):
        read_conflict(path)


def test_a_running_mean_leaves_out_what_is_not_known():
    values = np.array([1.0, np.nan, 3.0, 5.0, np.nan, np.nan, np.nan])
    expected = [1.0, 2.0, 4.0, 4.0, 5.0, np.nan, np.nan]
    np.testing.assert_allclose(running_mean(values, 3), expected)
    np.testing.assert_allclose(running_mean(values, 1), values)


@pytest.mark.parametrize('tasks', ['a', 'ab', 'abc', 'abcdefgh'])
@pytest.mark.parametrize('steps', [1, 90])
def test_any_number_of_tasks_is_drawn(tasks, steps, tmp_path):
    records = [record(10 * k + 1, tasks, -0.3 if k % 3 else 0.3) for k in range(steps)]
    figure = draw_conflict(records, 'a title')
    cosines, norms, matrix = figure.axes
    pairs = len(tasks) * (len(tasks) - 1) // 2
    named = [text.get_text() for text in norms.get_legend().get_texts()]
    assert named[0] == tasks[-1], 'the largest norm first'
    assert len(named) == min(len(tasks), MOST_LINES)
    if pairs:
        assert len(cosines.get_legend().get_texts()) == min(pairs, MOST_LINES)
    texts = [text.get_text() for text in matrix.texts]
    assert len(texts) == pairs
    assert all(text == texts[0] for text in texts)
    if pairs:
        assert texts[0] == ('+0.30\n0 % < 0' if steps == 1 else '-0.10\n67 % < 0')
    figure.savefig(tmp_path / 'picture.png')


def test_a_task_without_gradient_has_no_cosine():
    figure = draw_conflict([record(1, cosine=None), record(11, cosine=None)])
    assert {text.get_text() for text in figure.axes[2].texts} == {'none'}


def test_a_training_in_two_numbers_a_pair():
    records = [record(1, cosine=-0.5), record(11, cosine=0.1), record(21, cosine=None)]
    for one in records:
        one['cosines']['b~c'] = None
    assert summarize_conflict(records) == {
        'conflict/a~b': pytest.approx(-0.2),
        'conflict/a~b/below_zero': 0.5,
        'conflict/a~c': pytest.approx(-0.2),
        'conflict/a~c/below_zero': 0.5,
    }
