"""The config of an evaluation: an encoder on a data set, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.engine.record import write_encoder
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS
from tests.helpers.students import write_student


@pytest.fixture
def flat_folder(tmp_path: Path) -> str:
    """Key points of two persons in a picture."""
    generator = np.random.default_rng(0)
    with SkeletonWriter(tmp_path / 'flat', 'flat', 'coco17', ['one'], 2, 2) as writer:
        for name in 'ab':
            writer.add(name, 0, generator.uniform(0, 200, (2, 9, 17, 2)).astype(np.float32))
        writer.finish({'train': ['a'], 'test': ['b']})
    return str(tmp_path / 'flat')


def test_a_checkpoint_is_evaluated_as_it_records(tmp_path):
    """Options of the data set do not change a trained encoder."""
    encoder = read_encoder('r3d18-small,side=32,stride=1')
    saved = StudentFile.read(write_student(tmp_path / 'a.pth', encoder))
    cfg, found = read_evaluation(saved, dataset='utdmhad')
    assert found == encoder
    sampled, _, resized = cfg.test_dataloader.dataset.pipeline[1:4]
    assert (sampled.frame_interval, resized.scale) == (1, (-1, 32))
    assert cfg.train_dataloader.dataset.pipeline[1].frame_interval == 1


@pytest.mark.parametrize('name', ['gru', 'gru-streams', 'stgcn', 'stt'])
def test_key_points_of_two_persons_in_a_picture_need_no_option(name, flat_folder):
    cfg, encoder = read_evaluation(name, data=flat_folder)
    assert encoder.options.items() >= dict(layout='coco17', persons=2, coordinates=2).items()
    assert (cfg.model.cls_head.num_classes, cfg.dataset_name) == (1, 'flat')
    built = Encoder.build(encoder)
    sample = DATASETS.build(cfg.test_dataloader.dataset)[0]
    assert built.features([sample]).isfinite().all()


@pytest.mark.parametrize(
    ('encoder', 'data', 'message'),
    [
        ('gru', dict(dataset='jhmdb'), 'gru.py reads skeletons, and jhmdb holds videos: give'),
        ('r3d18-small', dict(dataset='nwucla'), 'reads videos, and nwucla holds skeletons: give'),
        ('gru,layout=ntu25', dict(dataset='nwucla'), 'layout=ntu25, and nwucla has layout=kinect'),
        ('r3d18', dict(dataset='kinetics400'), 'kinetics400: has no test split'),
    ],
)
def test_an_encoder_and_data_that_do_not_go_together_are_refused(encoder, data, message):
    with pytest.raises(ConfigError, match=message) as error:
        read_evaluation(encoder, **data)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('options', 'name'), [(dict(layout='coco17'), 'coordinates'), (dict(coordinates=2), 'layout')]
)
def test_a_student_of_other_skeletons_is_refused(options, name, flat_folder, tmp_path):
    saved = StudentFile.read(write_student(tmp_path / 'a.pth', read_encoder('gru', options)))
    with pytest.raises(ConfigError, match=f'was trained on skeletons of {name}=.* and flat has'):
        read_evaluation(saved, data=flat_folder)


def test_an_encoder_of_the_users_own_is_for_one_layout_unless_it_is_of_the_common_joints(tmp_path):
    for name, options in (('stt', dict(layout='kinect20')), ('gru-streams-common', {})):
        write_encoder(tmp_path / f'{name}.py', read_encoder(name, options))
    with pytest.raises(ConfigError, match=r'stt\.py was trained on skeletons of layout=kinect20'):
        read_evaluation(str(tmp_path / 'stt.py'), dataset='ntu60-xsub')
    read_evaluation(str(tmp_path / 'stt.py'), dataset='nwucla')
    for dataset in ('ntu60-xsub', 'nwucla'):
        _, encoder = read_evaluation(str(tmp_path / 'gru-streams-common.py'), dataset=dataset)
        assert encoder.layout == 'common15'


@pytest.mark.parametrize(
    'option',
    [
        'model.backbone.depth=34',
        'model.data_preprocessor.std=[1,1,1]',
        'test_dataloader.dataset.pipeline.1.frame_interval=2',
    ],
)
def test_an_option_that_would_change_the_encoder_is_refused(option, video_encoder):
    message = f'--cfg-options {option.partition("=")[0]}: change the encoder by --encoder'
    with pytest.raises(ConfigError, match=message):
        read_evaluation(video_encoder, dataset='jhmdb', options=[option])


def test_other_options_stay(video_encoder):
    options = ['train_dataloader.dataset.pipeline.1.frame_interval=8', 'knn.main_k=5']
    cfg, encoder = read_evaluation(video_encoder, dataset='jhmdb', options=options)
    assert cfg.train_dataloader.dataset.pipeline[1].frame_interval == 8
    assert cfg.test_dataloader.dataset.pipeline[1].frame_interval == 2
    assert (cfg.knn.main_k, encoder) == (5, video_encoder)
    with pytest.raises(ConfigError, match='knn.main_kk'):
        read_evaluation(video_encoder, dataset='jhmdb', options=['knn.main_kk=5'])
