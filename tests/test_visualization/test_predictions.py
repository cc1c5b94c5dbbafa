"""Pictures of what models predict: views that find each other, masked frames and skeletons."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS
from mmact_ssl.visualization.predictions import Predictions, draw_predictions
from tests.five_methods import SAMPLES


@pytest.fixture
def make(data_of_methods: None):
    """Makes the model of a config and reads the config, both with options."""

    def make(name: str, *options: str):
        path, _, dataset = name.partition('@')
        options = ['test_dataloader.num_workers=0', *options]
        config = read_config(f'configs/{path}', options, dataset=dataset or None)
        torch.manual_seed(0)
        return MODELS.build(config.model).eval(), config

    return make


PAIR = ['views=[clip,clip_b]', 'in_channels=32', 'hidden_dim=16', 'embedding_dim=8']
BYOL = ['type=SelfDistillationHead', 'momentum=0.99', 'predictor_dim=16']
VICREG = ['type=RedundancyHead', 'loss.type=VICRegLoss']


@pytest.mark.parametrize(('task', 'head'), [('byol', BYOL), ('vicreg', VICREG)])
def test_views_find_each_other(task, head, make):
    options = ['model.backbone.base_channels=4']
    options += ['model.heads.guidance=None', 'model.heads.contrast=None']
    options += [f'model.heads.{task}.{setting}' for setting in (*head, *PAIR)]
    options += [f'model.momentum_encoder.{setting}' for setting in (PAIR[0], 'momentum=0.99')]
    model, config = make('dtg_r3d18-small.py', *options)
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


def test_skeletons_have_no_frames_to_show(make):
    with pytest.raises(ConfigError, match='no picture of its tasks .byol.'):
        draw_predictions(*make('byol_gru.py@nwucla'), num_clips=2, pool=SAMPLES)


def shown(axes: np.ndarray) -> list[np.ndarray]:
    return [axis.get_images()[0].get_array() for axis in axes]


def test_a_masked_frame_is_gray_and_the_prediction_is_real_where_it_is_not(make, made_data):
    videos = [f'ann_file={made_data}/demo/test.txt', f'data_prefix.video={made_data}/demo']
    options = [f'test_dataloader.dataset.{setting}' for setting in videos]
    model, config = make('videomae_vit-tiny.py@jhmdb', 'model.backbone.depth=1', *options)
    figures, lines = draw_predictions(model, config, num_clips=2, pool=2)
    assert set(figures) == {'masked'} and not lines
    axes = np.array(figures['masked'].axes).reshape(6, 8)
    clips = Predictions(model, config, 2)
    masks = clips.targets['clip']['mask'][:, 0].repeat_interleave(2, 1)
    masks = masks.repeat_interleave(8, 2).repeat_interleave(8, 3).numpy()
    gray = model.data_preprocessor.mean.flatten().round().numpy()
    for clip, step in np.ndindex(2, 8):
        masked, predicted, real = shown(axes[3 * clip : 3 * clip + 3, step])
        hidden = masks[clip, step]
        assert (masked[hidden] == gray).all()
        assert (masked[~hidden] == real[~hidden]).all()
        assert (predicted[~hidden] == real[~hidden]).all()
        assert (predicted[hidden] != real[hidden]).any()
    labels = [row[0].get_ylabel().split('\n') for row in axes]
    assert labels == [[t, kind] for t in clips.titles for kind in ('masked', 'predicted', 'real')]


def test_visible_joints_alone_are_drawn_above_predicted_and_real_skeletons(make):
    model, config = make('mamp_stt.py@nwucla', 'model.backbone.depth=1')
    np.random.seed(0)  # of the clip's augmentation and mask
    figures, _ = draw_predictions(model, config, num_clips=2, pool=2)
    axes = np.array(figures['masked'].axes).reshape(6, 8)
    np.random.seed(0)
    clips = Predictions(model, config, 2)
    masks = clips.targets['clip']['mask'][:, 0, :, :, 0].numpy()  # (2, S, V)
    real = clips.inputs['clip'][:, 0, 3::4].numpy()  # (2, S, V, 3)
    for clip, step in np.ndindex(2, 8):
        pictures = shown(axes[3 * clip : 3 * clip + 3, step])
        drawn = [(picture < 255).any(axis=-1) for picture in pictures]
        assert (drawn[2] | ~drawn[0]).all() and (drawn[0] != drawn[2]).any()
        assert (drawn[1] != drawn[2]).any()
        if masks[clip, step].all() or not real[clip, step].any():
            assert not drawn[0].any()
    assert [axis.get_title() for axis in axes[0]] == [f'frame {4 * i + 4}' for i in range(8)]
