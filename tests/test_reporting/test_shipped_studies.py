"""The studies that come with the project: each can be planned, and none writes a file twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmact_ssl.reporting.study import plan_study

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('name', ['csvr_demo', 'csvr_jhmdb', 'csvr_utdmhad'])
def test_the_shipped_studies_can_be_planned(name, tmp_path):
    config = Config.fromfile(ROOT / f'configs/studies/{name}.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps: dict[str, int] = {}
    for chain in chains:
        steps[chain.name] = steps.get(chain.name, 0) + len(chain.steps)
    few = int(name != 'csvr_demo')  # fine-tuned with 10 % of the labels
    for seed in config.seeds:
        supervised = int(few and seed == 0)  # from scratch, with all labels
        assert steps.pop(f'Random init full seed {seed}') == 1 + few + supervised
        assert steps.pop(f'CSVR full seed {seed}') == 3 + few
    branches = () if name == 'csvr_utdmhad' else ('pose', 'context', 'video')
    assert steps == {f'CSVR no-{branch} seed 0': 2 for branch in branches}
    assert config.dataset == Config.fromfile(ROOT / config.frozen.config).dataset_name


@pytest.mark.parametrize('name', ['dtg_demo', 'dtg_jhmdb'])
def test_the_studies_of_teachers_can_be_planned(name, tmp_path):
    config = Config.fromfile(ROOT / f'configs/studies/{name}.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    names = [chain.name for chain in chains]
    assert len(set(names)) == len(names), 'no two runs share a folder'
    for seed in config.seeds:
        for run_name in ('Random init full', 'DTG-Net full', 'DTG-Net no-teacher'):
            assert f'{run_name} seed {seed}' in names
        for method in ('Supervised', 'DTG-Net joint'):
            for variant in ('full', 'labels-10pct'):
                assert f'{method} {variant} seed {seed}' in names
    assert len(names) == 3 * 7 + 7
    downstream = config.downstream.replace('{dataset}', config.dataset)
    dataset = Config.fromfile(ROOT / downstream).dataset_name
    assert config.dataset == dataset == name.removeprefix('dtg_')


def test_the_study_of_the_sensors_poses_can_be_planned(tmp_path):
    config = Config.fromfile(ROOT / 'configs/studies/dtg_utdmhad.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps = {chain.name: len(chain.steps) for chain in chains}
    runs = {'Random init full': 1, 'DTG-Net full': 3, 'DTG-Net no-teacher': 2}
    assert steps == {f'{name} seed {i}': count for name, count in runs.items() for i in range(3)}
    assert config.dataset == Config.fromfile(ROOT / config.frozen.config).dataset_name


@pytest.mark.parametrize('name', ['hcpg_demo', 'hcpg_jhmdb'])
def test_the_studies_of_parsing_can_be_planned(name, tmp_path):
    config = Config.fromfile(ROOT / f'configs/studies/{name}.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps = {chain.name: len(chain.steps) for chain in chains}
    assert len(steps) == len(chains), 'no two runs share a folder'
    for seed in config.seeds:
        # Pre-training, pretext tasks (with the conflict of their gradients), evaluation.
        assert steps[f'HCPG full seed {seed}'] == steps[f'HCPG shared seed {seed}'] == 3
        for variant in ('contrast-alone', 'parsing-alone'):
            assert steps[f'HCPG {variant} seed {seed}'] == 2
    assert len(steps) == 3 * 5 + 3


@pytest.mark.parametrize('name', ['c2vl_nwucla', 'c2vl_utdmhad'])
def test_the_studies_of_sentences_can_be_planned(name, tmp_path):
    config = Config.fromfile(ROOT / f'configs/studies/{name}.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps = {chain.name: len(chain.steps) for chain in chains}
    assert len(steps) == len(chains), 'no two runs share a folder'
    # Pre-training, frozen features with all labels and a tenth, retrieval by text, zero-shot.
    judged = 5 if name == 'c2vl_nwucla' else 4
    for seed in config.seeds:
        assert steps.pop(f'C2VL full seed {seed}') == judged
        assert steps.pop(f'MS2L + C2VL full seed {seed}') == judged
        for rung in ('hard', 'self-similarity', 'cross-consistency'):
            assert steps.pop(f'C2VL {rung} seed {seed}') == judged
    more = set()
    for kind in ('hard-', ''):
        more |= {f'C2VL {kind}streams-apart seed 0', f'C2VL {kind}shuffled-20pct seed 0'}
        more |= {f'C2VL {kind}shuffled-40pct seed {seed}' for seed in (0, 1, 2)}
    assert set(steps) == (more if name == 'c2vl_nwucla' else set())
    for run_ in config.runs:
        for part in [run_.pretrain, *(entry.config for entry in run_.evaluations)]:
            assert Config.fromfile(ROOT / part).dataset_name == config.dataset


def test_the_study_of_sentences_and_frames_can_be_planned(tmp_path):
    config = Config.fromfile(ROOT / 'configs/studies/c2vl_demo.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    steps = {chain.name: len(chain.steps) for chain in chains}
    # Sentences find clips in the space that was trained; a random encoder has none.
    assert steps == {'C2VL full seed 0': 4, 'Random init full seed 0': 2}
    for run_ in config.runs:
        for entry in run_.evaluations:
            assert Config.fromfile(ROOT / entry.config).dataset_name == config.dataset


def test_the_study_of_skeletons_can_be_planned(tmp_path):
    config = Config.fromfile(ROOT / 'configs/studies/ms2l_nwucla.py')
    chains = plan_study(config, str(tmp_path), str(tmp_path), str(ROOT))
    names = [chain.name for chain in chains]
    assert names.count('MS2L full seed 2') == 1
    assert [name for name in names if 'no-' in name] == [
        f'MS2L no-{task} seed 0' for task in ('motion', 'jigsaw', 'contrast')
    ]
    for entry in config.transfer:
        assert entry.dataset == Config.fromfile(ROOT / entry.config).dataset_name
