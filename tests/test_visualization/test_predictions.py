"""Pictures of tasks that bring views together: what the first views find among the second."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS
from mmact_ssl.visualization.predictions import Predictions, draw_predictions
from tests.five_methods import SAMPLES, make_data

SMALL = ['model.backbone.base_channels=4', 'test_dataloader.num_workers=0']


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_data(tmp_path)
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    init_default_scope('mmact_ssl')
    return tmp_path


PAIR = ['views=[clip,clip_b]', 'in_channels=32', 'hidden_dim=16', 'embedding_dim=8']
BYOL = ['type=SelfDistillationHead', 'momentum=0.99', 'predictor_dim=16']
VICREG = ['type=RedundancyHead', 'loss.type=VICRegLoss']


@pytest.mark.parametrize(('task', 'head'), [('byol', BYOL), ('vicreg', VICREG)])
def test_views_find_each_other(task, head, data):
    options = [*SMALL, 'model.heads.guidance=None', 'model.heads.contrast=None']
    options += [
        'model.momentum_encoder.views=[clip,clip_b]',
        'model.momentum_encoder.momentum=0.99',
    ]
    options += [f'model.heads.{task}.{setting}' for setting in (*head, *PAIR)]
    config = read_config('configs/dtg_r3d18-small.py', options)
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    figures, lines = draw_predictions(model, config, num_clips=2, pool=SAMPLES)
    assert set(figures) == {'neighbors'} and not lines
    rows = figures['neighbors'].subfigs
    assert [row.get_suptitle() for row in rows] == 2 * [f'{task}: clip_b nearest to clip']
    clips = Predictions(model, config, SAMPLES)
    for query, row in enumerate(rows):
        own, *others = [axis.get_title() for axis in row.axes if axis.axison]
        assert own == clips.titles[query]
        one = clips.samples[query][task]['projection'][0]
        cosines = {
            title: float(torch.cosine_similarity(one, sample[task]['projection'][1], dim=0))
            for title, sample in zip(clips.titles, clips.samples)
        }
        best = sorted(cosines, key=lambda title: -cosines[title])[: len(others)]
        assert [other.split()[1] for other in others] == best


def test_frames_of_the_overview_are_counted_as_the_view_has_them():
    """Not as the video has them: the view may have a stride."""
    clips = object.__new__(Predictions)
    clips.model = SimpleNamespace(tasks={})
    clips.titles, clips.pipeline = ['walk'], []
    clips.images = lambda frames: frames.permute(0, 2, 3, 4, 1).numpy()
    frames, pose = torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8), torch.ones(1, 4, 17, 3)
    valid = torch.ones(1, 4, dtype=torch.bool)
    clips.inputs = dict(clip=frames, future=frames)
    clips.targets = {view: dict(pose=pose, valid=valid) for view in ('clip', 'future')}
    clips.samples = [dict(pose=dict(poses=pose[0, ..., :2]))]
    titles = [axis.get_title() for axis in clips.overview('pose').axes]
    assert titles == ['last frame seen', 'future 1', 'future 3', 'future 4']


def test_skeletons_have_no_frames_to_show(data):
    config = read_config('configs/byol_gru.py', dataset='nwucla')
    model = MODELS.build(config.model).eval()
    with pytest.raises(ConfigError, match='no picture of its tasks .byol.'):
        draw_predictions(model, config, num_clips=2, pool=SAMPLES)
