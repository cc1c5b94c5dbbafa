"""Plans: their lengths, and how a budget shortens them."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from torch.utils.data import DataLoader

from mmact_ssl.apis.pretrain_plan import (
    LEAST_FRAMES,
    LEAST_STEPS,
    STARTING,
    Plan,
    _copy_sample,
    plan_training,
    within,
)
from mmact_ssl.apis.source_folder import Source
from mmact_ssl.errors import ConfigError, DataError

CONFIG = Config(
    dict(
        train_cfg=dict(max_epochs=18),
        param_scheduler=[dict(end=1), dict(begin=1, end=18)],
        train_dataloader=dict(batch_size=8, drop_last=True),
    )
)
PLAN = Plan(
    *(True, 150, 13, 1, 234, 48),
    seconds=dict(prepare=40, targets=300, train=500, evaluate=60, publish=5, gallery=20),
)


@pytest.fixture(autouse=True)
def a_second_a_step(monkeypatch):
    monkeypatch.setattr('mmact_ssl.apis.pretrain_plan.measure_step', lambda cfg: (1.0, 1e6))


@pytest.mark.parametrize(
    'steps, most, expected', [(None, None, 18), (None, 240, 13), (90, 240, 5), (1, None, 2)]
)
def test_steps_are_whole_epochs(steps, most, expected):
    plan = plan_training(Plan(True, 150), CONFIG, steps, most)
    assert (plan.epochs, plan.steps) == (expected, 18 * expected)
    assert 1 <= plan.warmup < plan.epochs
    assert plan.seconds['train'] == plan.steps + STARTING


@pytest.mark.parametrize('count', [5, 16, 100, 127])
@pytest.mark.parametrize('drop_last', [True, False])
def test_an_epoch_has_the_steps_of_the_data_loader(count, drop_last):
    loader = DataLoader(list(range(count)), 16, drop_last=drop_last)
    cfg = Config(dict(CONFIG, train_dataloader=dict(batch_size=16, drop_last=drop_last)))
    plan = plan_training(Plan(False, count), cfg, None)
    assert plan.steps == 18 * max(len(loader), 1)


@given(st.floats(0.1, 40))
def test_a_budget_takes_frames_and_steps_away(minutes: float):
    least = 60 * minutes < 40 + 60 + 5 + 20 + 300 / 2 + 500 * 108 / 234
    try:
        shorter = within(PLAN, minutes, True)
    except ConfigError as error:
        assert least and 'this folder needs 9 minutes' in str(error)
        return
    assert sum(shorter.seconds.values()) <= 1.05 * 60 * minutes
    assert LEAST_FRAMES <= shorter.frames <= PLAN.frames
    assert LEAST_STEPS <= shorter.steps <= PLAN.steps
    assert shorter.steps == 18 * shorter.epochs
    assert (shorter == PLAN) == (60 * minutes >= sum(PLAN.seconds.values()))


def test_torn_videos_are_not_measured(tmp_path, make_video):
    """A small one is a link, and only its first frame has been read."""
    source, copies = tmp_path / 'in', tmp_path / 'copies'
    source.mkdir(), copies.mkdir()
    whole = make_video(source / 'whole.mp4', num_frames=40)
    torn = source / 'torn.mp4'
    content = bytearray(whole.read_bytes())
    content[4_000:8_000] = bytes(4_000)
    torn.write_bytes(content)
    files = {'torn': (torn,), 'both': (torn, whole)}
    with pytest.raises(DataError, match='none of 1 videos can be read: .*in/torn.mp4: cannot be'):
        _copy_sample(Source(source, True, files['torn'], (), False), copies)
    names, _ = _copy_sample(Source(source, True, files['both'], (), False), copies)
    assert [(copies / name).resolve() for name in names] == [whole]


def test_a_plan_is_read_as_it_was_written(tmp_path):
    (tmp_path / 'plan.json').write_text(json.dumps(asdict(PLAN)))
    assert Plan.read(tmp_path / 'plan.json', {}) == PLAN
    (tmp_path / 'plan.json').write_text('{"teachers": []}')
    with pytest.raises(DataError, match='is not a plan of this version; give another --out'):
        Plan.read(tmp_path / 'plan.json', {})
