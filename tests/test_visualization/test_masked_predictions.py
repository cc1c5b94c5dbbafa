"""Pictures of masked frames and skeletons: what the student sees and predicts, and real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.engine.launch import read_config
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import MODELS
from mmact_ssl.visualization.predictions import Predictions, draw_predictions
from tests.five_methods import make_data

SMALL = ['model.backbone.depth=1', 'test_dataloader.num_workers=0']


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    make_data(root)
    return root


def make(name: str, data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    init_default_scope('mmact_ssl')
    of_videos = [
        f'test_dataloader.dataset.ann_file={data}/demo/test.txt',
        f'test_dataloader.dataset.data_prefix.video={data}/demo',
    ]
    path, _, dataset = name.partition('@')
    options = [*SMALL, *of_videos * (dataset == 'jhmdb')]
    config = read_config(f'configs/{path}', options, dataset=dataset)
    torch.manual_seed(0)
    model: MultiTaskPretrainer = MODELS.build(config.model).eval()
    return model, config


def test_a_masked_frame_is_gray_and_the_prediction_is_real_where_it_is_not(data, monkeypatch):
    model, config = make('videomae_vit-tiny.py@jhmdb', data, monkeypatch)
    figures, lines = draw_predictions(model, config, num_clips=2, pool=2)
    assert set(figures) == {'masked'} and not lines
    axes = np.array(figures['masked'].axes).reshape(6, 8)
    clips = Predictions(model, config, 2)
    masks = clips.targets['clip']['mask'][:, 0].repeat_interleave(2, 1)
    masks = masks.repeat_interleave(8, 2).repeat_interleave(8, 3).numpy()
    gray = model.data_preprocessor.mean.flatten().round().numpy()
    for clip, step in np.ndindex(2, 8):
        masked, predicted, real = (
            axes[3 * clip + row, step].get_images()[0].get_array() for row in range(3)
        )
        hidden = masks[clip, step]
        assert (masked[hidden] == gray).all()
        assert (masked[~hidden] == real[~hidden]).all()
        assert (predicted[~hidden] == real[~hidden]).all()
        assert (predicted[hidden] != real[hidden]).any()
    labels = [row[0].get_ylabel().split('\n') for row in axes]
    assert labels == [[t, kind] for t in clips.titles for kind in ('masked', 'predicted', 'real')]
    animated, _ = draw_predictions(model, config, 2, 2, animate=True)
    assert len(animated['masked']) == 8


def test_visible_joints_alone_are_drawn_above_predicted_and_real_skeletons(data, monkeypatch):
    model, config = make('mamp_stt.py@nwucla', data, monkeypatch)
    np.random.seed(0)  # of the clip's augmentation and mask
    figures, _ = draw_predictions(model, config, num_clips=2, pool=2)
    axes = np.array(figures['masked'].axes).reshape(6, 8)
    np.random.seed(0)
    clips = Predictions(model, config, 2)
    masks = clips.targets['clip']['mask'][:, 0, :, :, 0].numpy()  # (2, S, V)
    real = clips.inputs['clip'][:, 0, 3::4].numpy()  # (2, S, V, 3)
    for clip, step in np.ndindex(2, 8):
        masked, predicted, whole = (
            axes[3 * clip + row, step].get_images()[0].get_array() for row in range(3)
        )
        drawn = [(picture < 255).any(axis=-1) for picture in (masked, predicted, whole)]
        assert (drawn[2] | ~drawn[0]).all() and (drawn[0] != drawn[2]).any()
        assert (drawn[1] != drawn[2]).any()
        if masks[clip, step].all() or not real[clip, step].any():
            assert not drawn[0].any()
    assert [axis.get_title() for axis in axes[0]] == [f'frame {4 * i + 4}' for i in range(8)]
