"""C2VL's configs: sentences are loaded for what reads them, never mirrored, and no label counts."""

from __future__ import annotations

import argparse
import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tools import visualize

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.name for path in CONFIGS.glob('*c2vl_*.py'))
GRU = [name for name in NAMES if '_gru_' in name]
DEMO = 'c2vl_stgcn_demo.py'


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def documented_ladder() -> dict[str, list[str]]:
    """Variant -> its ``--cfg-options``, as the method's page lists them."""
    page = (CONFIGS.parent / 'docs/methods/c2vl.md').read_text(encoding='utf-8')
    _, _, rest = page.partition('| variant | `--cfg-options` |\n|---|---|\n')
    table, _, _ = rest.partition('\n\n')
    cells = [line.strip('|').split('|') for line in table.splitlines()]
    return {
        variant.strip(): [] if options.strip() == 'none' else options.strip(' `').split()
        for variant, options in cells
    }


def merged(config: Config, options: list[str]) -> Config:
    """A config with what a command line gives it."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    if options:
        config.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    return config


def test_there_are_configs():
    assert NAMES == [
        'c2vl_gru_nwucla.py',
        'c2vl_gru_utdmhad.py',
        'c2vl_stgcn_demo.py',
        'c2vl_stgcn_ntu120-xsub.py',
        'c2vl_stgcn_ntu60-xsub.py',
        'c2vl_stgcn_pkummd2.py',
        'ms2l-c2vl_gru_nwucla.py',
        'ms2l-c2vl_gru_utdmhad.py',
    ]


@pytest.mark.parametrize('name', NAMES)
def test_a_sentence_is_read_beside_a_view_that_is_never_mirrored(name: str):
    config = load(name)
    model = MODELS.build(config.model)
    for loader, sentences in ((config.train_dataloader, 'draw'), (config.test_dataloader, 'mean')):
        prompt, *frames, normalize, views, pack = loader.dataset.pipeline
        assert [step.target for step in frames] == (['frames'] if name == DEMO else [])
        assert prompt.path == f'{config.data_root}/targets/prompts.lmdb'
        assert (prompt.get('sentences', 'draw'), prompt.missing) == (sentences, 'mask')
        assert prompt['views'] == ('clip',)
        assert normalize.type == 'NormalizeSkeleton'
        assert 'SkeletonFlip' not in [step.type for step in views['views'].clip]
        assert tuple(pack['views']) == tuple(model.encode_names)
        assert not pack.get('label', False)
        assert loader.dataset.ann_file.startswith(f'{config.data_root}/x')
    hooks = [hook.type for hook in config.custom_hooks]
    names = ['SeedByProgressHook', 'BrokenSampleHook', 'MomentumCopyHook', 'SoftTargetHook']
    assert hooks[:4] == names, 'the command line counts them'
    assert hooks[4:] == (['SoftTargetHook'] if name == DEMO else [])
    assert model.heads['prompts'].alpha == 0


@pytest.mark.parametrize('name', NAMES)
def test_the_augmentation_is_that_of_two_views_but_for_the_mirror(name: str):
    two_views = load('ms2l-twoview_gru_nwucla.py').augment
    own = load(name).train_dataloader.dataset.pipeline[-2]['views'].clip
    left_out = {'SkeletonFlip'} if name in GRU else {'SkeletonFlip', 'BonesAndMotion'}
    expected = [dict(step) for step in two_views if step.type not in left_out]
    if name not in GRU and name != DEMO:  # its clips are shorter
        expected[0]['num_frames'] = 64
    assert [dict(step) for step in own] == expected


LADDER = documented_ladder()


def test_the_page_lists_four_rungs():
    assert [len(options) for options in LADDER.values()] == [3, 3, 1, 0]


def test_the_studies_climb_the_documented_ladder():
    for study in ('c2vl_nwucla', 'c2vl_utdmhad'):
        config = load(f'studies/{study}.py')
        assert [*map(list, config.ladder.values()), []] == list(LADDER.values())
        rungs = [run for run in config.runs if run.get('variant') in config.ladder]
        assert [list(run.cfg_options) for run in rungs] == list(LADDER.values())[:3]
        assert [run.method for run in config.runs if 'variant' not in run] == [
            'C2VL',
            'MS2L + C2VL',
        ]


def test_the_study_gives_each_stream_projectors_of_its_own():
    config = load('c2vl_gru_nwucla.py')
    streams = config.model.backbone.num_streams
    apart = [r for r in load('studies/c2vl_nwucla.py').runs if 'apart' in r.get('variant', '')]
    for run in apart:
        head = MODELS.build(merged(config, run.cfg_options).model.heads.prompts)
        assert len(head.skeleton_projector) == len(head.prompt_projector) == streams == 3
    assert len(apart) == 2


def test_wrong_sentences_are_read_by_training_alone():
    config = load('studies/c2vl_nwucla.py')
    noisy = [run for run in config.runs if 'shuffled' in run.get('variant', '')]
    assert len(noisy) == 4
    for run in noisy:
        clean, wrong = load(Path(run.pretrain).name), load(Path(run.pretrain).name)
        merged(wrong, run.cfg_options)
        percent = run.variant.partition('shuffled-')[2].removesuffix('pct')
        path = f'{clean.data_root}/targets/prompts_shuffled{percent}.lmdb'
        assert wrong.train_dataloader.dataset.pipeline[0].path == path
        assert wrong.test_dataloader == clean.test_dataloader
        assert (wrong.custom_hooks[3].alpha_max == 0) == run.variant.startswith('hard')
        del wrong.train_dataloader.dataset.pipeline[0]['path']
        del clean.train_dataloader.dataset.pipeline[0]['path']
        assert wrong.train_dataloader == clean.train_dataloader


@pytest.mark.parametrize('variant', LADDER)
@pytest.mark.parametrize('name', sorted({*NAMES} - {DEMO}))
def test_each_rung_builds_what_it_says_and_nothing_idle(name: str, variant: str):
    config = merged(load(name), LADDER[variant])
    model = MODELS.build(copy.deepcopy(config.model))
    head = model.heads['prompts']
    consistent = 'cross-consistency' in variant or 'full' in variant
    assert (head.momentum_projectors is not None) == consistent
    assert (model.momentum_encoder is not None) == consistent
    # The encoder's average and one of each projector, or none.
    assert len(model.momentum_pairs()) == 3 * consistent
    if consistent:
        (momentum,) = {config.model.momentum_encoder.momentum, config.model.heads.prompts.momentum}
        assert 0.9 < momentum < 1
    hook = config.custom_hooks[3]
    assert (hook.type, hook.alpha_max == 0) == ('SoftTargetHook', 'hard' in variant)
    assert (hook.get('schedule') == 'constant') == ('constant' in variant)


@pytest.mark.parametrize('variant', LADDER)
def test_only_cross_consistency_costs_a_second_pass(variant: str, monkeypatch):
    config = merged(load('c2vl_gru_nwucla.py'), LADDER[variant])
    model = MODELS.build(config.model)
    passes = []
    forward = type(model.backbone).forward

    def count(self, *arguments):
        passes.append(self is model.backbone)
        return forward(self, *arguments)

    monkeypatch.setattr(type(model.backbone), 'forward', count)
    for copy_, source in model.momentum_pairs():
        copy_.start(source)
    inputs = dict(clip=torch.randn(4, 1, 6, 20, 9), clip_valid=torch.ones(4, 1, 6, dtype=bool))
    targets = dict(clip_prompt=torch.randn(4, 1, 384), clip_prompt_valid=torch.ones(4, dtype=bool))
    model(inputs, targets, mode='loss')
    assert passes == ([True, False] if model.momentum_encoder is not None else [True])


def test_the_demo_matches_frames_too_and_reads_no_labeled_sentence():
    config = load(DEMO)
    assert config.synthetic
    model = MODELS.build(config.model)
    assert set(model.heads) == {'prompts', 'frames'}
    assert model.heads['frames'].reads['prompt'] == 'clip_frames'
    assert len(model.momentum_pairs()) == 5
    assert [hook.get('task', 'prompts') for hook in config.custom_hooks[3:]] == [
        'prompts',
        'frames',
    ]
    for loader in (config.train_dataloader, config.test_dataloader):
        assert 'sentences.json' not in str(loader)
        frames = loader.dataset.pipeline[1]
        assert (frames.kind, frames.whole, frames.missing) == ('embedding', True, 'mask')
        assert 'demo/targets/efficientnet_lite0_imagenet.lmdb' in frames.path
    for average, source in model.momentum_pairs():
        average.start(source)
    inputs = dict(clip=torch.randn(3, 1, 16, 25, 3), clip_valid=torch.ones(3, 1, 16, dtype=bool))
    targets = {}
    for name, channels in (('prompt', 384), ('frames', 1280)):
        targets[f'clip_{name}'] = torch.randn(3, 1, channels)
        targets[f'clip_{name}_valid'] = torch.tensor([True, True, name == 'prompt'])
    losses = model(inputs, targets, mode='loss')
    losses['loss'].backward()
    torch.testing.assert_close(losses['loss'], losses['prompts/loss'] + losses['frames/loss'])
    assert losses['frames/with_sentence'] == pytest.approx(2 / 3)
    for head in model.heads.values():
        assert all(p.grad.any() for p in head.skeleton_projector.parameters())


STGCN = dict(
    demo=('demo-skeleton', 'videos/wave_s07_c0_000.mp4', '07'),
    pkummd2=('pkummd2', 'A01N02-L_3', '01'),
    **{
        f'ntu{count}-xsub': (f'ntu{count}-xsub', 'S001C002P003R002A013', '003')
        for count in (60, 120)
    },
)


@pytest.mark.parametrize('name', STGCN)
def test_each_graph_network_has_its_downstream_config(name: str):
    downstream_name, clip, subject = STGCN[name]
    config = load(f'c2vl_stgcn_{name}.py')
    downstream = load(f'downstream/linear_stgcn_{downstream_name}.py')
    assert downstream.dataset_name == config.dataset_name
    assert downstream.model.backbone == config.model.backbone
    assert downstream.model.cls_head.in_channels == config.model.heads.prompts.in_channels
    assert downstream.feature_pooling.type.endswith(config.model.pooling.type)
    for loader in ('train_dataloader', 'test_dataloader'):
        theirs, own = downstream[loader].dataset, config[loader].dataset
        assert theirs.ann_file == own.ann_file and theirs.data_prefix == own.data_prefix
        normalize, resample, layout, _ = theirs.pipeline
        assert normalize.type.endswith(own.pipeline[-3].type)
        assert normalize.mode == own.pipeline[-3].mode
        assert resample.num_frames == own.pipeline[-2]['views'].clip[0].num_frames
        assert layout.num_person == (1 if name == 'demo' else 2)
    assert re.search(downstream.linear.group_pattern, clip).group(1) == subject


def test_the_demo_goes_without_frames_by_the_documented_options():
    page = (CONFIGS.parent / 'docs/methods/c2vl.md').read_text(encoding='utf-8')
    options = re.search(r'Sentences alone: `--cfg-options (.*)`', page).group(1).split()
    config = merged(load(DEMO), options)
    assert set(MODELS.build(config.model).heads) == {'prompts'}
    first, second = config.custom_hooks[3:]
    assert dict(second) == {**first, 'task': 'prompts'}, 'the same alpha, set twice'


def test_no_view_of_utdmhad_is_mirrored():
    for loader in ('train_dataloader', 'test_dataloader'):
        steps = str(load('ms2l-c2vl_gru_utdmhad.py')[loader].dataset.pipeline)
        assert 'SkeletonFlip' not in steps and steps.count('RandomShear') == 3


def test_together_the_contrast_is_that_of_ms2l_alone():
    alone, together = load('ms2l-twoview_gru_nwucla.py'), load('ms2l-c2vl_gru_nwucla.py')
    assert together.model.heads.contrast == alone.model.heads.contrast
    for view in ('one', 'two'):
        views = together.train_dataloader.dataset.pipeline[2]['views']
        assert views[view] == alone.train_pipeline[1]['views'][view]
    assert together.model.heads.prompts.in_channels == load(GRU[0]).model.heads.prompts.in_channels


@pytest.mark.parametrize('name', GRU)
def test_the_student_is_the_downstream_one(name: str):
    config = load(name)
    downstream = load('downstream/linear_gru-streams_nwucla.py')
    encoder = dict(downstream.model.backbone.encoder)
    assert encoder.pop('pool') == config.model.pooling.mode
    assert encoder == config.model.backbone.encoder
    assert downstream.model.cls_head.in_channels == config.model.heads.prompts.in_channels


@pytest.fixture(scope='module')
def made_set(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('skeletons')
    generator = np.random.default_rng(0)
    names = [f'clip{number}' for number in range(8)]
    with SkeletonWriter(folder, 'made', 'kinect20', ['one', 'two'], 1) as writer:
        for number, name in enumerate(names):
            clip = generator.normal(size=(1, 6 + number, 20, 3)).astype(np.float32)
            writer.add(name, number % 2, clip)
        writer.finish({'train': names})
    with TargetWriter(folder / 'prompts.lmdb', TargetMeta('text', '', 'f')) as writer:
        for name in names[:6]:  # two clips have no sentence
            writer.put(name, generator.normal(size=(3, 384)).astype(np.float32))
    return folder


def train(name: str, made_set: Path, work_dir: Path, ann_file: Path, resume_at: int = 0) -> Runner:
    """Two epochs of a config on a handful of made clips, with a small GRU."""
    config = load(name)
    for key in ('train', 'test'):
        loader = config[f'{key}_dataloader']
        loader.num_workers, loader.persistent_workers = 0, False
        loader.batch_size = 4
        loader.dataset.ann_file = str(ann_file)
        loader.dataset.data_prefix.skeleton = str(made_set)
        loader.dataset.pipeline[0].path = str(made_set / 'prompts.lmdb')
    config.work_dir = str(work_dir)
    config.train_cfg.max_epochs = 2
    config.default_hooks.checkpoint.interval = 1
    config.default_hooks.logger.interval = 1
    config.model.backbone.encoder.hidden_size = 8
    for head in config.model.heads.values():
        head.in_channels = 96
    if resume_at:
        config.resume, config.load_from = True, str(work_dir / f'epoch_{resume_at}.pth')
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def logged(work_dir: Path, key: str) -> list[float]:
    lines = next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [json.loads(line)[key] for line in lines if key in json.loads(line)]


@pytest.mark.parametrize('name', ['c2vl_gru_nwucla.py', 'ms2l-c2vl_gru_nwucla.py'])
def test_it_trains_softens_tests_and_reads_no_label(name, made_set, tmp_path):
    ends = []
    for number, label in enumerate(('', ' 1')):
        ann_file = tmp_path / f'{number}.txt'
        ann_file.write_text(''.join(f'clip{i}{label}\n' for i in range(8)))
        runner = train(name, made_set, tmp_path / str(number), ann_file)
        ends.append([value.detach().clone() for value in runner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends))
    alphas = logged(tmp_path / '0', 'prompts/alpha')
    assert alphas == sorted(alphas) and alphas[0] == 0 < alphas[-1] < 0.5
    # The log is a mean over a window: 6 of 8 clips have a sentence in each whole epoch.
    assert logged(tmp_path / '0', 'prompts/with_sentence')[-1] == pytest.approx(0.75)
    metrics = runner.test()
    assert 0 <= metrics['prompts/accuracy'] <= 1
    assert np.isfinite(metrics['prompts/chance'])


def test_that_there_is_no_picture_of_its_task_is_said(made_set, tmp_path):
    runner = train('c2vl_gru_nwucla.py', made_set, tmp_path, made_set / 'train.txt')
    runner.cfg.dump(tmp_path / 'config.py')
    with pytest.raises(SystemExit, match=r'no picture of its tasks \(prompts\).*gallery'):
        visualize.main([str(tmp_path / 'config.py'), str(tmp_path / 'epoch_2.pth')])


def test_a_resumed_run_is_the_run_that_never_stopped(made_set, tmp_path):
    name = 'c2vl_gru_nwucla.py'
    straight = train(name, made_set, tmp_path, made_set / 'train.txt')
    resumed = train(name, made_set, tmp_path, made_set / 'train.txt', resume_at=1)
    pairs = zip(straight.model.state_dict().values(), resumed.model.state_dict().values())
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_sentence_drawn_depends_on_seed_and_epoch_alone(made_set):
    config = load('c2vl_gru_nwucla.py').train_dataloader.dataset
    config.update(ann_file=str(made_set / 'train.txt'), data_prefix=dict(skeleton=str(made_set)))
    config.pipeline[0].path = str(made_set / 'prompts.lmdb')
    dataset = DATASETS.build(config)

    def drawn(epoch: int, order: list[int]) -> dict[int, list[float]]:
        dataset.set_progress(5, epoch)
        return {i: dataset[i]['targets']['clip_prompt'][0, :3].tolist() for i in order}

    epochs = [drawn(epoch, list(range(8))) for epoch in range(6)]
    assert drawn(2, [6, 3, 0, 7, 1, 5, 2, 4]) == epochs[2]
    assert len({tuple(epoch[0]) for epoch in epochs}) > 1
    targets = dataset[7]['targets']
    assert not targets['clip_prompt_valid'] and not targets['clip_prompt'].any()
    assert dataset[0]['targets']['clip_prompt_valid']
