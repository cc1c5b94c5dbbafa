"""Results in the model index: of which runs, and that nothing else of the file changes."""

from __future__ import annotations

import pytest
import yaml

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.model_index import results_by_config, update_model_index
from mmact_ssl.evaluation.result import Result

INDEX = """\
# A comment.
Collections:
  - Name: CSVR
    README: docs/methods/csvr.md
Models:
  - Name: csvr_r3d_demo
    Config: configs/csvr_r3d_demo.py
    In Collection: CSVR
    Results:
      - Task: of long ago
        Metrics:
          Linear: 99.0
  - Name: csvr_r3d_k400
    Config: configs/csvr_r3d_k400.py
    In Collection: CSVR
"""
STUDY = """\
dataset = 'demo'
seeds = (0, 1)
runs = [
    dict(method='Random init', evaluations=[]),
    dict(method='CSVR', pretrain='configs/csvr_r3d_{dataset}.py', evaluations=[]),
    dict(
        method='CSVR',
        variant='no-pose',
        pretrain='configs/csvr_r3d_{dataset}.py',
        cfg_options=['model.heads.pose=None'],
        evaluations=[],
    ),
]
"""


def linear(value, seed=0, **changes):
    values = dict(
        method='CSVR',
        variant='full',
        dataset='demo',
        protocol='linear',
        backbone='r3d18-small',
        seed=seed,
        metrics={'top1': value},
        label_fraction=1.0,
        config='c.py',
        config_hash='c',
        checkpoint_hash='k',
        data_version='d',
        synthetic=True,
    )
    return Result(**{**values, **changes})


RESULTS = [
    linear(0.25),
    linear(0.75, seed=1),
    linear(0.5, protocol='finetune', label_fraction=0.1),
    linear(0.9, variant='no-pose'),
    linear(0.9, method='Random init'),
    linear(0.9, dataset='jhmdb'),
    linear(0.9, pretrained_on='nwucla'),
]


@pytest.fixture
def found(tmp_path):
    study = tmp_path / 'study.py'
    study.write_text(STUDY)
    return results_by_config([study], RESULTS)


def test_a_config_has_the_results_of_its_plain_runs(found):
    assert found == {'configs/csvr_r3d_demo.py': RESULTS[:3]}


def test_results_are_renewed_once_and_the_rest_is_kept(found, tmp_path):
    index = tmp_path / 'model-index.yml'
    index.write_text(INDEX)
    assert update_model_index(index, found, write=False)
    assert index.read_text() == INDEX
    assert update_model_index(index, found)
    assert not update_model_index(index, found)
    before, after = yaml.safe_load(INDEX), yaml.safe_load(index.read_text())
    assert after['Models'][0].pop('Results') == [
        {
            'Task': 'Action Recognition',
            'Dataset': 'demo (synthetic data)',
            'Metrics': {'Linear': 50.0, 'Fine-tuned, 10 %': 50.0},
            'Seeds': 2,
            'Source': 'results/csvr_full_demo_*.json',
        }
    ]
    del before['Models'][0]['Results']
    assert after == before
    assert index.read_text().startswith('# A comment.\n')


def test_without_results_none_stay(tmp_path):
    index = tmp_path / 'model-index.yml'
    index.write_text(INDEX)
    assert update_model_index(index, {})
    assert 'Results' not in index.read_text()


def test_a_missing_index_is_one_line(tmp_path):
    with pytest.raises(DataError, match='no such file'):
        update_model_index(tmp_path / 'none.yml', {})
