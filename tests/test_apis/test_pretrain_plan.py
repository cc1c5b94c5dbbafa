"""Plans: their lengths, and how a budget shortens them."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config
from torch.utils.data import DataLoader

from mmact_ssl.apis.pretrain_plan import STARTING, Job, Plan, plan_training
from mmact_ssl.apis.pretrain_speed import copy_sample
from mmact_ssl.apis.source_folder import Source
from mmact_ssl.errors import DataError

CONFIG = Config(
    dict(
        train_cfg=dict(max_epochs=18),
        param_scheduler=[dict(end=1), dict(begin=1, end=18)],
        train_dataloader=dict(batch_size=8, drop_last=True),
    )
)
PLAN = Plan(True, 150, 13, 1, 234, seconds=dict(prepare=40, targets=300, train=500))


@pytest.mark.parametrize(
    'is_video, steps, expected', [(False, None, 18), (True, None, 11), (True, 90, 5), (False, 1, 2)]
)
def test_steps_are_whole_epochs(is_video, steps, expected):
    plan = plan_training(Plan(is_video, 150), CONFIG, steps, 1.0)
    assert (plan.epochs, plan.steps) == (expected, 18 * expected)
    assert 1 <= plan.warmup < plan.epochs
    assert plan.seconds['train'] == plan.steps + STARTING


@pytest.mark.parametrize('count', [5, 16, 100, 127])
@pytest.mark.parametrize('drop_last', [True, False])
def test_an_epoch_has_the_steps_of_the_data_loader(count, drop_last):
    loader = DataLoader(list(range(count)), 16, drop_last=drop_last)
    cfg = Config(dict(CONFIG, train_dataloader=dict(batch_size=16, drop_last=drop_last)))
    plan = plan_training(Plan(False, count), cfg, None, 1.0)
    assert plan.steps == 18 * max(len(loader), 1)


def test_torn_videos_are_not_measured(tmp_path, make_video):
    """A small one is a link, and only its first frame has been read."""
    source, copies = tmp_path / 'in', tmp_path / 'copies'
    source.mkdir(), copies.mkdir()
    whole, torn = make_video(source / 'whole.mp4', num_frames=40), source / 'torn.mp4'
    content = bytearray(whole.read_bytes())
    content[4_000:8_000] = bytes(4_000)
    torn.write_bytes(content)
    with pytest.raises(DataError, match='none of 1 videos can be read: .*in/torn.mp4: cannot be'):
        copy_sample(Source(source, True, (torn,), (), False), copies)
    names, *_ = copy_sample(Source(source, True, (torn, whole), (), False), copies)
    assert [(copies / name).resolve() for name in names] == [whole]


def test_a_record_is_read_as_it_was_written(tmp_path):
    job = Job(source := Source(tmp_path, False, (), (), True), tmp_path, 'mine')
    job.plan = PLAN
    job.write()
    assert Job(source, tmp_path, 'mine').recorded.plan == PLAN
    state = json.loads((tmp_path / 'state.json').read_text())
    (tmp_path / 'state.json').write_text(json.dumps({**state, 'plan': {'teachers': []}}))
    with pytest.raises(DataError, match="state.json: it.plan lacks 'count': give another --out"):
        Job(source, tmp_path, 'mine')
