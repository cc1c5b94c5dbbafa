"""Results in the model index: of which runs, and that nothing else of the file changes."""

from __future__ import annotations

import pytest
import yaml

from research.model_index import results_by_config, update_model_index

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


@pytest.fixture
def results(make_result) -> list:
    return [
        make_result(0.25),
        make_result(0.75, seed=1),
        make_result(0.5, protocol='finetune', label_fraction=0.1),
        make_result(0.9, variant='no-pose'),
        make_result(0.9, method='Random init'),
        make_result(0.9, dataset='jhmdb'),
    ]


@pytest.fixture
def found(tmp_path, results):
    study = tmp_path / 'study.py'
    study.write_text(STUDY)
    return results_by_config([study], results)


def test_a_config_has_the_results_of_its_plain_runs(found, results):
    assert found == {'configs/csvr_r3d_demo.py': [results[:3]]}


@pytest.mark.parametrize('reverse', [False, True])
def test_of_several_studies_of_a_config_the_full_variant_counts(tmp_path, make_result, reverse):
    """Whatever the order of the studies; and a variant counts where nothing else is measured."""
    full = make_result(0.25)
    other = [make_result(0.9, variant='240-steps'), make_result(0.8, method='DTG-Net', variant='b')]
    run = "dict(method={!r}, variant={!r}, pretrain='configs/{}.py', evaluations=[])"
    for name, *runs in (
        ('a', ('CSVR', 'full', 'csvr'), ('DTG-Net', 'full', 'dtg')),
        ('b', ('CSVR', '240-steps', 'csvr'), ('DTG-Net', 'b', 'dtg')),
    ):
        listed = ', '.join(run.format(*one) for one in runs)
        (tmp_path / f'{name}.py').write_text(f"dataset = 'demo'\nseeds = (0,)\nruns = [{listed}]\n")
    studies = sorted(tmp_path.glob('*.py'), reverse=reverse)
    found = results_by_config(studies, [full, *other])
    assert found == {'configs/csvr.py': [[full]], 'configs/dtg.py': [[other[1]]]}


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
            'Seeds': '1 to 2',
        }
    ]
    del before['Models'][0]['Results']
    assert after == before
    assert index.read_text().startswith('# A comment.\n')
    assert update_model_index(index, {})
    assert 'Results' not in index.read_text(), 'without results none stay'
