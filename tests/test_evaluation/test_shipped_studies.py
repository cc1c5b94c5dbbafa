"""The studies that come with the project: each can be planned, and none writes a file twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmact_ssl.evaluation.study import plan_study

ROOT = Path(__file__).parents[2]
BRANCHES = ('pose', 'context', 'video')
RUNGS = ('full', 'hard', 'self-similarity', 'cross-consistency')
C2VL = [*(f'C2VL {rung}' for rung in RUNGS), 'MS2L + C2VL full']
GUIDED = {'Random init full': 1, 'DTG-Net full': 3, 'DTG-Net no-teacher': 2}
JOINT = {f'{m} {v}': 2 for m in ('Supervised', 'DTG-Net joint') for v in ('full', 'labels-10pct')}
TEACHERS = ('imagenet-alone', 'pose-alone', 'no-contrast', 'no-agreement')
TEACHERS += ('equal', 'learned', 'confidence')
HCPG = {'Random init full': 1, 'HCPG full': 3, 'HCPG shared': 3}
HCPG |= {'HCPG contrast-alone': 2, 'HCPG parsing-alone': 2}
BALANCERS = ('uncertainty', 'gradnorm', 'pcgrad')

# Study -> seeds, steps of a run of every seed, and of a run of the first seed alone (supervised
# training and random encoders are runs of one name, counted together).
STUDIES = {
    'csvr_demo': (
        3,
        {'Random init full': 1, 'CSVR full': 3},
        {f'CSVR no-{b}': 2 for b in BRANCHES},
    ),
    'csvr_jhmdb': (
        3,
        {'Random init full': 2, 'CSVR full': 4},
        {'Random init full': 1, **{f'CSVR no-{b}': 2 for b in BRANCHES}},
    ),
    'csvr_utdmhad': (1, {'Random init full': 2, 'CSVR full': 4}, {'Random init full': 1}),
    'dtg_demo': (3, {**GUIDED, **JOINT}, {f'DTG-Net {name}': 2 for name in TEACHERS}),
    'dtg_jhmdb': (3, {**GUIDED, **JOINT}, {f'DTG-Net {name}': 2 for name in TEACHERS}),
    'dtg_utdmhad': (3, GUIDED, {}),
    'hcpg_demo': (3, HCPG, {f'HCPG {name}': 2 for name in BALANCERS}),
    'hcpg_jhmdb': (3, HCPG, {f'HCPG {name}': 2 for name in BALANCERS}),
    # Pre-training, frozen features with all labels and a tenth, retrieval by text, zero-shot.
    'c2vl_nwucla': (
        3,
        dict.fromkeys([*C2VL, 'C2VL hard-shuffled-40pct', 'C2VL shuffled-40pct'], 5),
        {f'C2VL {h}{name}': 5 for h in ('hard-', '') for name in ('streams-apart', 'shuffled-20pct')},
    ),
    'c2vl_utdmhad': (1, dict.fromkeys(C2VL, 4), {}),
    # Sentences find clips in the space that was trained; a random encoder has none.
    'c2vl_demo': (1, {'C2VL full': 4, 'Random init full': 2}, {}),
    'ms2l_nwucla': (
        3,
        {
            'MS2L two views full': 9,
            'Random init streams': 7,
            'MS2L full': 6,
            'Random init full': 4,
        },
        {f'MS2L no-{task}': 2 for task in ('motion', 'jigsaw', 'contrast')},
    ),
    'ms2l_utdmhad': (
        3,
        {'MS2L two views full': 6, 'Random init streams': 4},
        {'MS2L full': 4, 'Random init full': 2},
    ),
    'ms2l_msraction3d': (3, {'MS2L two views full': 2}, {}),
    'ms2l_utkinect': (3, {'MS2L two views full': 2}, {}),
}


def test_all_studies_are_known():
    assert {path.stem for path in (ROOT / 'configs/studies').glob('*.py')} == set(STUDIES)


@pytest.mark.parametrize('name', STUDIES)
def test_a_shipped_study_can_be_planned(name, tmp_path):
    config = Config.fromfile(ROOT / f'configs/studies/{name}.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps: dict[str, int] = {}
    for chain in chains:
        steps[chain.name] = steps.get(chain.name, 0) + len(chain.steps)
    seeds, every, first = STUDIES[name]
    expected = {f'{run} seed {seed}': n for run, n in every.items() for seed in range(seeds)}
    for run, number in first.items():
        expected[f'{run} seed 0'] = expected.get(f'{run} seed 0', 0) + number
    assert steps == expected
    outputs = [output for chain in chains for step in chain.steps for output in step.outputs]
    assert len(outputs) == len(set(outputs)), 'nothing is measured twice'
    for run in config.runs:
        parts = [(entry.config, entry.get('dataset', config.dataset)) for entry in run.evaluations]
        if 'pretrain' in run:
            parts.append((run.pretrain, config.dataset))
        for part, dataset in parts:
            part = Config.fromfile(ROOT / part.replace('{dataset}', config.dataset))
            assert part.dataset_name == dataset
