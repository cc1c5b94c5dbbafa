"""What the studies change in the configs that they train and evaluate."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.engine.config_check import check_options
from mmact_ssl.engine.launch import parse_cfg_options, read_config
from mmact_ssl.evaluation import student_inputs
from mmact_ssl.evaluation.student_inputs import with_saved_inputs
from mmact_ssl.registry import MODELS
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.targets.load_targets import caches_read_by
from research.study import runs_of
from tests.shipped import build, load

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / 'research/studies'
NAMES = sorted(path.stem for path in STUDIES.glob('*.py'))


def study(name: str) -> Config:
    return Config.fromfile(STUDIES / f'{name}.py')


@cache
def read(path: str, dataset: str | None, options: tuple[str, ...]) -> Config:
    return read_config(str(ROOT / path), options, dataset=dataset)


def record(cfg: Config) -> SavedRun:
    """A training checkpoint without weights that records its config."""
    return SavedRun(__file__, dict(meta=dict(cfg=cfg.pretty_text)))


@pytest.mark.parametrize('name', NAMES)
def test_the_students_of_a_study_are_evaluated_as_trained(name, monkeypatch):
    said = []
    monkeypatch.setattr(student_inputs, 'print_log', lambda text, *_: said.append(text))
    pairs = {}
    for run in runs_of(study(name)):
        for part in run['evaluations'] if run.get('pretrain') else ():
            if part['protocols'] != 'pretext':
                one, other = (
                    tuple(o.replace('{seed}', '0') for o in table.get('cfg_options', ()))
                    for table in (run, part)
                )
                key = (run['pretrain'], run.get('set'), one), (part['config'], part['set'], other)
                pairs[key] = other
    for (training, evaluation), options in pairs.items():
        cfg = read(*evaluation)
        assert with_saved_inputs(cfg, record(read(*training)), options) is cfg
    assert not said


def test_options_of_studies_are_read():
    options = []
    for name in NAMES:
        for run in runs_of(study(name)):
            for part in (run, *run['evaluations']):
                options += part.get('cfg_options', [])
    check_options(Config(), parse_cfg_options(options))


@pytest.mark.parametrize('name', ['c2vl_nwucla', 'c2vl_utdmhad'])
def test_the_ladder_of_c2vl_is_climbed(name):
    config = study(name)
    rungs = {r.variant: r.cfg_options for r in config.runs if r.get('variant') in config.ladder}
    assert rungs == config.ladder
    assert [len(options) for options in rungs.values()] == [3, 3, 1]
    methods = [run.method for run in config.runs if 'variant' not in run]
    assert methods == ['C2VL', 'MS2L + C2VL']


def test_each_stream_has_projectors_of_its_own():
    runs = [r for r in study('c2vl_nwucla').runs if 'apart' in r.get('variant', '')]
    for run in runs:
        config = load('c2vl_gru_nwucla.py', run.cfg_options)
        head = MODELS.build(config.model.heads.prompts)
        assert len(head.skeleton_projector) == len(head.prompt_projector) == 3
        assert config.model.backbone.num_streams == 3
    assert len(runs) == 2


def test_wrong_sentences_are_read_by_training_alone():
    noisy = [run for run in study('c2vl_nwucla').runs if 'shuffled' in run.get('variant', '')]
    assert len(noisy) == 4
    for run in noisy:
        clean, wrong = load(Path(run.pretrain).name), load(Path(run.pretrain).name, run.cfg_options)
        percent = run.variant.partition('shuffled-')[2].removesuffix('pct')
        path = f'{clean.data_root}/targets/prompts_shuffled{percent}.lmdb'
        assert list(caches_read_by(wrong.train_dataloader)) == [('prompt', path)]
        assert wrong.test_dataloader == clean.test_dataloader
        del wrong.train_dataloader.dataset['target_caches']
        assert wrong.train_dataloader == clean.train_dataloader
        assert (wrong.model.heads.prompts.alpha_max == 0) == run.variant.startswith('hard')


@pytest.mark.parametrize('name', ['dtg_jhmdb', 'dtg_demo', 'dtg_utdmhad'])
def test_every_run_of_dtg_builds(name: str):
    init_default_scope('mmact_ssl')
    config = study(name)
    for run in config.runs:
        if 'pretrain' in run:
            options = [option.replace('{seed}', '0') for option in run.get('cfg_options', [])]
            file = run.pretrain.removeprefix('configs/').replace('{dataset}', config.dataset)
            heads = build(load(file, options)).heads
            kind = type(heads['guidance'].weights).__name__ if 'guidance' in heads else None
            told = {'learned': 'Learned', 'confidence': 'Confidence'}.get(
                run.get('variant'), 'Fixed'
            )
            assert kind in (None, f'{told}TeacherWeights')
