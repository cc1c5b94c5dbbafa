"""The studies that come with the project: each can be planned, and none measures twice."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from research.study import plan_study, runs_of

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.stem for path in (ROOT / 'research/studies').glob('*.py'))


@cache
def dataset_of(config: str, name: str | None = None) -> str:
    return read_config(str(ROOT / config), dataset=name).dataset_name


@cache
def steps_of(name: str) -> dict[str, int]:
    """Number of steps of each run; a study that plans something twice is refused."""
    config = Config.fromfile(ROOT / f'research/studies/{name}.py')
    steps: dict[str, int] = {}
    for chain in plan_study(config, 'work', 'results', str(ROOT)):
        steps[chain.name] = steps.get(chain.name, 0) + len(chain.steps)
    return steps


@pytest.mark.parametrize('name', STUDIES)
def test_every_study_can_be_planned_on_its_data_set(name):
    assert steps_of(name)
    config = Config.fromfile(ROOT / f'research/studies/{name}.py')
    assert config.dataset.replace('-skeleton', '') == name.partition('_')[2]
    for run in runs_of(config):
        for part in run['evaluations']:
            named = part.get('config') or 'configs/_base_/evaluation.py'
            assert dataset_of(named, part.get('set')) == part.get('dataset', config.dataset)
        if run.get('pretrain') is not None:
            assert dataset_of(run['pretrain'], run.get('set')) == config.dataset


@pytest.mark.parametrize('name', STUDIES)
def test_the_options_of_every_study_are_read(name):
    commands = set()
    for run in runs_of(Config.fromfile(ROOT / f'research/studies/{name}.py')):
        for part in (*run['evaluations'], dict(run, config=run.get('pretrain'))):
            options = tuple(o.replace('{seed}', '0') for o in part.get('cfg_options', ()))
            if options and 'encoder' in part:
                read_evaluation(part['encoder'], dataset=part['set'], options=options)
            elif options and part['config']:
                commands.add((part['config'], options, part.get('set')))
    for config, options, dataset in commands:
        read_config(str(ROOT / config), options, dataset=dataset)


def test_the_study_of_the_page_can_be_planned(tmp_path):
    """A study, a config and a folder of the reader's own."""
    page = (ROOT / 'research/README.md').read_text(encoding='utf-8')
    text = next(part for part in page.split('```python\n') if part.startswith('# my_study.py'))
    (tmp_path / 'my_study.py').write_text(text.partition('```')[0])
    own = "_base_ = 'mmact_ssl::_base_/rivals/gru.py'"
    (tmp_path / 'mine_gru.py').write_text(own)
    config = read_config(str(tmp_path / 'my_study.py'))
    chains = plan_study(config, str(tmp_path), str(tmp_path / 'results'), str(ROOT))
    assert [len(chain.steps) for chain in chains] == 2 * [1, 3, 3, 3]
    for run in config.runs[1:]:
        trained = read_config(str(ROOT / run.pretrain), run.cfg_options, dataset=run.set)
        assert trained.train_cfg.max_iters == trained.param_scheduler[1].end == 120


@pytest.mark.parametrize(
    ('name', 'run', 'steps'),
    [
        # Pre-training, pretext tasks, frozen features; JHMDB: also with a tenth of the labels.
        ('csvr_demo', 'CSVR full seed 2', 3),
        ('csvr_jhmdb', 'CSVR full seed 2', 4),
        ('csvr_jhmdb', 'CSVR no-pose seed 0', 3),
        ('csvr_jhmdb', 'Random init full seed 0', 3),  # and from scratch with all labels
        ('csvr_utdmhad', 'CSVR full seed 0', 4),
        ('dtg_utdmhad', 'DTG-Net full seed 2', 3),
        ('dtg_utdmhad', 'DTG-Net no-teacher seed 2', 2),
        # With the conflict of the tasks' gradients.
        ('hcpg_jhmdb', 'HCPG shared seed 2', 3),
        ('hcpg_jhmdb', 'HCPG parsing-alone seed 2', 2),
        ('hcpg_utdmhad', 'HCPG full seed 0', 3),
        # Pretext tasks, frozen features with all labels and a tenth.
        ('c2vl_nwucla', 'C2VL cross-consistency seed 2', 4),
        ('c2vl_nwucla', 'C2VL hard-shuffled-40pct seed 1', 4),
        ('c2vl_utdmhad', 'C2VL hard seed 0', 3),
        ('c2vl_demo', 'Random init full seed 0', 2),
        ('ms2l_nwucla', 'MS2L no-jigsaw seed 0', None),
        ('dtg_jhmdb', 'DTG-Net joint labels-10pct seed 1', None),
    ],
)
def test_a_run_has_its_steps(name, run, steps):
    found = steps_of(name)
    assert run in found
    assert steps is None or found[run] == steps


def test_pretext_tasks_have_the_config_and_set_of_the_training():
    tested, other = dict(protocols='pretext'), dict(protocols='pretext', config='linear.py')
    one = dict(method='CSVR', pretrain='csvr.py', set='{dataset}', evaluations=[tested, other])
    random = dict(method='Random init', evaluations=[tested])
    study = Config(dict(dataset='demo', seeds=(0,), runs=[one, random]))
    filled, unfilled = runs_of(study)
    assert filled['evaluations'] == [dict(tested, config='csvr.py', set='demo'), other]
    assert unfilled['evaluations'] == [tested]
    study.runs = [random]
    with pytest.raises(ConfigError, match=r"missing \['config'\]"):
        plan_study(study, 'work', 'results', '.')
