"""Results of pretext tasks: what they carry, and which trivial answer belongs to which metric."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation import PretextMetric
from mmact_ssl.evaluation.pretext_result import make_pretext_result
from mmact_ssl.evaluation.results import Result, read_results
from mmact_ssl.targets.cache import TargetMeta, TargetWriter


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


def test_skeletons_are_recorded_by_coordinates_names_and_lengths(cfg, tmp_path, skeleton_folder):
    before = make(cfg, tmp_path)
    cfg.test_dataloader.dataset.data_prefix = dict(skeleton=str(skeleton_folder))
    first = make(cfg, tmp_path)
    assert first.data_version != before.data_version
    assert list(first.caches) == [str(skeleton_folder)]
    with np.load(skeleton_folder / 'clips.npz') as clips:
        np.savez(skeleton_folder / 'clips.npz', **{**clips, 'names': clips['names'][::-1]})
    second = make(cfg, tmp_path)
    assert second.data_version == first.data_version
    assert second.caches != first.caches
    (skeleton_folder / 'meta.json').write_text(
        (skeleton_folder / 'meta.json').read_text().replace('"sha256": "', '"sha256": "0')
    )
    assert make(cfg, tmp_path).data_version != first.data_version


def test_every_cache_that_is_read_is_recorded(cfg, tmp_path):
    def write(name: str, kind: str, fingerprint: str) -> dict:
        with TargetWriter(tmp_path / name, TargetMeta(kind, '', fingerprint), overwrite=True) as w:
            w.put('a.mp4', np.ones((1, 4), np.float32))
        return dict(type='mmact_ssl.LoadTargets', cache=str(tmp_path / name), target=name)

    before = make(cfg, tmp_path)
    assert before.caches == {}
    cfg.train_dataloader.dataset.pipeline = [write('parts.lmdb', 'embedding', 'one')]
    inner = dict(pipeline=[dict(type='Other', cache='x'), write('prompts.lmdb', 'text', 'one')])
    cfg.test_dataloader.dataset = dict(
        type='Wrapper', dataset=inner, ann_file=cfg.test_dataloader.dataset.ann_file
    )
    first = make(cfg, tmp_path)
    assert list(first.caches) == [str(tmp_path / name) for name in ('parts.lmdb', 'prompts.lmdb')]
    assert first.data_version == before.data_version
    write('parts.lmdb', 'embedding', 'two')
    second = make(cfg, tmp_path)
    changed = [path for path in first.caches if first.caches[path] != second.caches[path]]
    assert changed == [str(tmp_path / 'parts.lmdb')]
    assert (second.config_hash, second.data_version) == (first.config_hash, first.data_version)


def test_a_config_without_a_name_is_refused(cfg, tmp_path):
    cfg.pop('dataset_name')
    with pytest.raises(ConfigError, match='c.py: has no dataset_name'):
        make(cfg, tmp_path)
