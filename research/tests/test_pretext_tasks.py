"""Results of pretext tasks: what they carry, and which trivial answer belongs to which metric."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation import PretextMetric
from mmact_ssl.evaluation.results import Result, read_results
from research import pretext_tasks
from research.pretext_tasks import make_pretext_result
from tools import test as test_tool


@pytest.fixture
def cfg(tmp_path):
    for name in ('train', 'test'):
        (tmp_path / f'{name}.txt').write_text(f'{name}.mp4\n')
    (tmp_path / 'c.pth').write_bytes(b'weights')
    loader = {
        name: dict(batch_size=2, dataset=dict(ann_file=str(tmp_path / f'{name}.txt')))
        for name in ('train', 'test')
    }
    (tmp_path / 'c.py').touch()
    return Config(
        dict(
            dataset_name='made',
            backbone_name='tiny',
            synthetic=True,
            model=dict(type='M'),
            train_dataloader=loader['train'],
            test_dataloader=loader['test'],
        ),
        filename=str(tmp_path / 'c.py'),
    )


def make(cfg, tmp_path, **metrics) -> Result:
    return make_pretext_result(
        cfg, metrics or {'a/b': 0.5}, str(tmp_path / 'c.pth'), 'CSVR', 'full', 1
    )


def test_a_result_says_what_was_measured_on_what(cfg, tmp_path):
    result = make(cfg, tmp_path)
    assert (result.dataset, result.protocol, result.backbone) == ('made', 'pretext', 'tiny')
    assert result.synthetic and result.seed == 1 and result.metrics == {'a/b': 0.5}
    result.write(tmp_path / 'results')
    assert read_results(tmp_path / 'results') == [result]
    assert result.run == 'csvr_full_made_pretext_seed1'


def test_the_fraction_of_known_clips_is_a_detail_and_not_a_metric(cfg, tmp_path):
    metric = PretextMetric()
    for value in [float('nan')] * 4 + [0.1] * 6:
        metric.process(None, [dict(a=dict(b=torch.tensor(value), c=torch.tensor(1.0)))])
    result = make(cfg, tmp_path, **metric.evaluate(size=10))
    assert result.metrics == {'a/b': pytest.approx(0.1), 'a/c': 1.0}
    assert result.details == {'known_fraction': {'a/b': pytest.approx(0.6)}}
    assert make(cfg, tmp_path).details == {}


def test_hashes_follow_weights_settings_and_data(cfg, tmp_path):
    first = make(cfg, tmp_path)
    (tmp_path / 'c.pth').write_bytes(b'others')
    assert make(cfg, tmp_path).checkpoint_hash != first.checkpoint_hash
    cfg.test_dataloader.batch_size = 3
    assert make(cfg, tmp_path).config_hash != first.config_hash
    (tmp_path / 'test.txt').write_text('another.mp4\n')
    assert make(cfg, tmp_path).data_version != first.data_version


def test_the_coordinates_of_skeletons_are_part_of_the_data(cfg, tmp_path):
    (tmp_path / 'meta.json').write_text('{}')
    cfg.test_dataloader.dataset.data_prefix = dict(skeleton=str(tmp_path))
    first = make(cfg, tmp_path)
    (tmp_path / 'meta.json').write_text('{"sha256": "0"}')
    assert make(cfg, tmp_path).data_version != first.data_version


def test_a_config_without_a_name_is_refused(cfg, tmp_path):
    cfg.pop('dataset_name')
    with pytest.raises(ConfigError, match='c.py: has no dataset_name'):
        make(cfg, tmp_path)


def test_half_a_result_is_not_written(tmp_path, monkeypatch):
    made = []

    def fail(*args):
        raise DataError('broken')

    def stand_in(cfg, metrics, *args):
        made.append(metrics)
        return SimpleNamespace(write=lambda folder: folder)

    tested = (SimpleNamespace(cfg={}), 'c.pth', {'pose/error': 0.5})
    monkeypatch.setattr(test_tool, 'test', lambda args: (*tested[:2], dict(tested[2])))
    monkeypatch.setattr(pretext_tasks, 'make_pretext_result', stand_in)
    argv = ['c.py', 'c.pth', '--method', 'CSVR', '--out', str(tmp_path)]
    pretext_tasks.main(argv)
    with pytest.raises(SystemExit, match='error: broken'):
        pretext_tasks.main(argv, fail)
    pretext_tasks.main(argv, lambda *run: {'more': 1.0})
    assert made == [{'pose/error': 0.5}, {'pose/error': 0.5, 'more': 1.0}]


def test_a_config_has_one_name_wherever_the_package_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config_name = pretext_tasks.config_name
    assert config_name(CONFIGS / 'encoders/gru.py') == 'configs/encoders/gru.py'
    assert config_name(tmp_path / 'my/a.py') == config_name('my/a.py') == 'my/a.py'
    assert config_name('/elsewhere/a.py') == '/elsewhere/a.py'
