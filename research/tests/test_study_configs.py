"""Changes of the studies in the configs that they train and evaluate."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.engine.config_reading import check_options, parse_cfg_options, read_config
from mmact_ssl.engine.record import network_arguments
from mmact_ssl.engine.same_run import plain
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.targets.load_targets import caches_read_by
from research.study import runs_of
from tests.shipped import build, load

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / 'research/studies'
NAMES = sorted(path.stem for path in STUDIES.glob('*.py'))
OURS = '../research/configs'


def on_a_set(path: Path) -> str:
    """A config on a set that it is for."""
    sets = dict(demo='demo-skeleton', utdmhad='utdmhad')
    is_video = re.search('r3d|tsm', path.stem)
    dataset = sets.get(path.stem.rpartition('_')[2], 'jhmdb' if is_video else 'nwucla')
    return f'{OURS}/{path.name}@{dataset}'


CONFIGS = sorted(map(on_a_set, (ROOT / 'research/configs').glob('*.py')))


def study(name: str) -> Config:
    return Config.fromfile(STUDIES / f'{name}.py')


@cache
def read(path: str, dataset: str | None, options: tuple[str, ...]) -> Config:
    return read_config(str(ROOT / path), options, dataset=dataset)


@pytest.mark.parametrize('name', NAMES)
def test_the_students_of_a_study_are_evaluated_as_trained(name):
    init_default_scope('mmact_ssl')
    for run in runs_of(study(name)):
        for part in run['evaluations'] if run.get('pretrain') else ():
            if part['protocols'] == 'pretext' or part.get('finetuned'):
                continue
            options = tuple(o.replace('{seed}', '0') for o in run.get('cfg_options', ()))
            trained = read(run['pretrain'], run.get('set'), options)
            encoder = read_encoder(part['encoder'], of_set=trained.encoder.options)
            backbone = network_arguments(trained.model.backbone.to_dict(), encoder.backbone)
            assert plain(backbone) == plain(encoder.backbone), (run['pretrain'], part['encoder'])


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


def test_wrong_sentences_are_read_by_training_alone():
    noisy = [run for run in study('c2vl_nwucla').runs if 'shuffled' in run.get('variant', '')]
    assert len(noisy) == 4
    for run in noisy:
        name = f'{Path(run.pretrain).name}@nwucla'
        clean, wrong = load(name), load(name, run.cfg_options)
        percent = run.variant.partition('shuffled-')[2].removesuffix('pct')
        path = f'{clean.data_root}/targets/prompts_shuffled{percent}.lmdb'
        assert list(caches_read_by(wrong.train_dataloader)) == [('prompt', path)]
        assert wrong.test_dataloader == clean.test_dataloader
        step = clean.train_dataloader.dataset.pipeline[0]
        wrong.train_dataloader.dataset.pipeline[0].cache = step.cache
        assert wrong.train_dataloader == clean.train_dataloader
        assert (wrong.model.heads.prompts.alpha_max == 0) == run.variant.startswith('hard')


@pytest.mark.parametrize('name', ['dtg_jhmdb', 'dtg_demo', 'dtg_utdmhad'])
def test_every_run_of_dtg_builds(name: str):
    init_default_scope('mmact_ssl')
    for run in runs_of(study(name)):
        if 'pretrain' in run:
            options = [option.replace('{seed}', '0') for option in run.get('cfg_options', [])]
            file = run['pretrain'].replace('configs/', '', 1)
            file = f'../{run["pretrain"]}' if file.startswith('research/') else file
            heads = build(load(f'{file}@{run["set"]}', options)).heads
            kind = type(heads['guidance'].weights).__name__ if 'guidance' in heads else None
            told = {'learned': 'Learned', 'confidence': 'Confidence'}.get(
                run.get('variant'), 'Fixed'
            )
            assert kind in (None, f'{told}TeacherWeights')


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_builds(name: str):
    init_default_scope('mmact_ssl')
    assert build(load(name)).heads


@pytest.mark.parametrize('left_out', ['jhmdb', 'utdmhad', 'arid', 'demo'])
def test_a_set_of_videos_is_left_out(left_out: str):
    config = load(f'{OURS}/dtg_tsm-lite0_videos-without-{left_out}.py@jhmdb')
    roots = [Path(part.ann_file).parent.name for part in config.train_dataloader.dataset.datasets]
    assert roots == [name for name in ('jhmdb', 'utdmhad', 'arid', 'demo') if name != left_out]


@pytest.mark.parametrize('left_out', ['nwucla', 'utdmhad-skeleton', 'msraction3d', 'utkinect'])
def test_a_set_of_skeletons_is_left_out(left_out: str):
    def files(config: Config) -> set[str]:
        return {part.ann_file for part in config.train_dataloader.dataset.datasets}

    rest = files(load(f'{OURS}/ms2l-twoview_gru_skeletons-without-{left_out}.py@nwucla'))
    read = Config.fromfile(ROOT / f'configs/_base_/sets/{left_out}.py').train_set.ann_file
    assert files(load(f'{OURS}/ms2l-twoview_gru_skeletons.py@nwucla')) - rest == {read}


@pytest.mark.parametrize('kind', ['twoview', 'cameras'])
def test_classification_is_trained_beside_the_contrast(kind: str, train):
    metrics = train(f'{OURS}/ms2l-{kind}-joint_gru.py').test()
    assert {key.split('/')[0] for key in metrics} == {'contrast', 'classification'}
    moving = load(f'{OURS}/ms2l-{kind}-moving_gru.py@nwucla').model.balancer
    assert moving.weights == dict(contrast=(1, 0), classification=(0, 1))


@pytest.mark.usefixtures('data_of_methods')
def test_momentum_keys_and_a_queue_on_a_graph_network():
    """The student learns from one view, and the queue gets the keys of the other."""
    init_default_scope('mmact_ssl')
    path = ROOT / 'research/configs/ms2l-momentum_stgcnpp-small.py'
    config = read_config(str(path), dataset='nwucla')
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    for copy, source in model.momentum_pairs():
        copy.start(source)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = pseudo_collate([dataset[index] for index in range(4)])
    data = model.data_preprocessor(batch)
    assert data['inputs']['one'].shape == data['inputs']['two'].shape == (4, 1, 64, 20, 6)
    before = model.backbone.data_bn.running_mean.clone()
    model(**data, mode='loss')['loss'].backward()
    assert not [n for n, p in model.backbone.named_parameters() if p.grad is None]
    assert model.heads['contrast'].queue.filled.sum() == 4
    # Keys are normalized by what the student keeps: of the same kind of view.
    clip = data['inputs']['one'].permute(0, 1, 3, 4, 2).flatten(0, 1).flatten(1, 2)  # (B, V*C, T)
    moved = 0.9 * before + 0.1 * clip.mean((0, 2))
    torch.testing.assert_close(model.backbone.data_bn.running_mean, moved, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures('data_of_methods')
def test_copies_are_read_as_clips_of_one_sample():
    config = read_config(str(ROOT / 'configs/ms2l-twoview_gru.py'), dataset='nwucla')
    dataset = config.test_dataloader.dataset
    read = {}
    for name in ('research/configs/encoders/gru-streams-copies.py', 'gru-streams'):
        encoder = read_encoder(name, dict(layout='kinect20'))
        init_default_scope('mmact_ssl')
        read[encoder.name] = DATASETS.build({**dataset, 'pipeline': encoder.clip})[0]['inputs']
    assert read['gru-streams-copies'].shape == (6, 1, 32, 20, 9)
    torch.testing.assert_close(read['gru-streams-copies'][2], read['gru-streams'][0])
