"""Results of pretext tasks: what they carry, and which trivial answer belongs to which metric."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_result import make_pretext_result, with_trivial
from mmact_ssl.evaluation.result import Result


def test_metrics_are_paired_with_their_trivial_answers():
    metrics = ['pose/error', 'pose/error_repeat_last', 'context/accuracy', 'context/chance']
    metrics += ['video/l1', 'jigsaw/accuracy']
    assert list(with_trivial(metrics)) == [
        ('pose/error', 'pose/error_repeat_last'),
        ('context/accuracy', 'context/chance'),
        ('video/l1', None),
        ('jigsaw/accuracy', None),  # the chance of another task is not its own
    ]


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
    assert Result.read(result.write(tmp_path)) == result
    assert result.file_name == 'csvr_full_made_pretext_seed1.json'


def test_hashes_follow_weights_settings_and_data(cfg, tmp_path):
    first = make(cfg, tmp_path)
    (tmp_path / 'c.pth').write_bytes(b'others')
    assert make(cfg, tmp_path).checkpoint_hash != first.checkpoint_hash
    cfg.test_dataloader.batch_size = 3
    assert make(cfg, tmp_path).config_hash != first.config_hash
    (tmp_path / 'test.txt').write_text('another.mp4\n')
    changed = make(cfg, tmp_path)
    assert changed.data_version != first.data_version


def test_other_coordinates_are_another_version_of_the_data(cfg, tmp_path):
    cfg.test_dataloader.dataset.data_prefix = dict(skeleton=str(tmp_path))
    versions = set()
    for sha in ('one', 'two'):
        (tmp_path / 'meta.json').write_text(sha)
        versions.add(make(cfg, tmp_path).data_version)
    assert len(versions) == 2


def test_a_config_without_a_name_is_refused(cfg, tmp_path):
    cfg.pop('dataset_name')
    with pytest.raises(ConfigError, match='c.py: has no dataset_name'):
        make(cfg, tmp_path)
