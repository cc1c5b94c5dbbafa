"""C2VL's configs: sentences are loaded for what reads them, never mirrored, and no label counts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.files import read_annotation
from mmact_ssl.preparation.videos import prepare as prepare_videos
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.targets.load_targets import caches_read_by
from tests.helpers.videos import write_video
from tests.shipped import ROOT, TOP_LEVEL, build, load, loaders, step, steps

NAMES = [name for name in TOP_LEVEL if 'c2vl' in name]
GRU = [name for name in NAMES if '_gru' in name]
DEMO = 'c2vl_stgcn_demo.py'
FRAMES = [DEMO, *(name for name in NAMES if name.startswith('c2vl-frames'))]  # a second prompt
PAGE = (ROOT / 'docs/methods/c2vl.md').read_text(encoding='utf-8')


def documented_ladder() -> dict[str, list[str]]:
    """Variant -> its ``--cfg-options``, as the method's page lists them."""
    _, _, rest = PAGE.partition('| variant | `--cfg-options` |\n|---|---|\n')
    table, _, _ = rest.partition('\n\n')
    cells = [line.strip('|').split('|') for line in table.splitlines()]
    return {
        variant.strip(): [] if options.strip() == 'none' else options.strip(' `').split()
        for variant, options in cells
    }


LADDER = documented_ladder()


@pytest.mark.parametrize('name', NAMES)
def test_a_sentence_is_read_beside_a_view_that_is_never_mirrored(name: str):
    config = load(name)
    for loader, sentences in ((config.train_dataloader, 'draw'), (config.test_dataloader, 'mean')):
        prompt, *frames = steps(loader.dataset.pipeline, 'LoadTargets')
        assert [part.target for part in frames] == (['frames'] if name in FRAMES else [])
        caches = dict(caches_read_by(loader))
        assert caches['prompt'] == f'{config.data_root}/targets/prompts.lmdb'
        assert (prompt.get('sentences', 'draw'), prompt.missing) == (sentences, 'mask')
        assert prompt['views'] == ('clip',)
        clip = step(loader, 'MakeSkeletonViews')['views'].clip
        assert not list(steps(clip, 'SkeletonFlip'))
    assert {head.get('alpha_max') for head in config.model.heads.values()} - {None} == {0.5}
    assert build(config).heads['prompts'].alpha_max == 0.5


@pytest.mark.parametrize('name', NAMES)
def test_the_augmentation_is_that_of_two_views_but_for_the_mirror(name: str):
    two_views = step(load('ms2l-twoview_gru_nwucla.py').train_dataloader, 'MakeSkeletonViews')
    own = step(load(name).train_dataloader, 'MakeSkeletonViews')['views']
    left_out = {'SkeletonFlip'} if name in GRU else {'SkeletonFlip', 'BonesAndMotion'}
    expected = [dict(part) for part in two_views['views'].one if part.type not in left_out]
    if 'stgcn' in name and name != DEMO:  # its clips are shorter
        expected[0]['num_frames'] = 64
    assert [dict(part) for part in own.clip] == expected
    if name == 'ms2l-c2vl_gru_nwucla.py':
        assert (own.one, own.two) == (two_views['views'].one, two_views['views'].two)
    if 'utdmhad' in name:  # left and right differ there, for the contrast too
        assert not any(steps(own, 'SkeletonFlip'))


@pytest.mark.parametrize('variant', LADDER)
@pytest.mark.parametrize('name', sorted({*NAMES} - {*FRAMES}))
def test_each_rung_builds_what_it_says_and_nothing_idle(name: str, variant: str):
    config = load(name, LADDER[variant])
    model = build(config)
    head = model.heads['prompts']
    consistent = 'cross-consistency' in variant or 'full' in variant
    assert (len(head.momentum_projectors) > 0) == consistent
    assert (model.momentum_encoder is not None) == consistent
    # The encoder's average and one of each projector, or none.
    assert len(model.momentum_pairs()) == 3 * consistent
    if consistent:
        (momentum,) = {config.model.momentum_encoder.momentum, config.model.heads.prompts.momentum}
        assert 0.9 < momentum < 1
    assert (head.alpha_max == 0) == ('hard' in variant)
    assert (head.schedule == 'constant') == ('constant' in variant)


@pytest.mark.parametrize('variant', LADDER)
def test_only_cross_consistency_costs_a_second_pass(variant: str, monkeypatch):
    model = MODELS.build(load('c2vl_gru_nwucla.py', LADDER[variant]).model)
    passes = []
    forward = type(model.backbone).forward

    def count(self, *arguments, **masks):
        passes.append(self is model.backbone)
        return forward(self, *arguments, **masks)

    monkeypatch.setattr(type(model.backbone), 'forward', count)
    for copy_, source in model.momentum_pairs():
        copy_.start(source)
    inputs = dict(clip=torch.randn(4, 1, 6, 20, 9))
    targets = dict(
        valid=torch.ones(4, 1, 6, dtype=torch.bool),
        prompt=torch.randn(4, 1, 384),
        prompt_valid=torch.ones(4, dtype=torch.bool),
    )
    model(inputs, dict(clip=targets), mode='loss')
    assert passes == ([True, False] if model.momentum_encoder is not None else [True])


def test_the_demo_matches_frames_too_and_reads_no_labeled_sentence():
    config = load(DEMO)
    assert config.synthetic
    for loader in loaders(config):
        assert 'sentences.json' not in str(loader)
        _, frames = steps(loader.dataset.pipeline, 'LoadTargets')
        assert (frames.kind, frames.whole, frames.missing) == ('embedding', True, 'mask')
        assert frames.cache.endswith('demo/targets/efficientnet_lite0_imagenet.lmdb')
    model = MODELS.build(config.model)
    assert set(model.heads) == {'prompts', 'frames'}
    assert model.heads['frames'].inputs['prompt'] == 'targets.clip.frames'
    assert len(model.momentum_pairs()) == 5
    for average, source in model.momentum_pairs():
        average.start(source)
    targets = dict(valid=torch.ones(3, 1, 16, dtype=torch.bool))
    for name, channels in (('prompt', 384), ('frames', 1280)):
        targets[name] = torch.randn(3, 1, channels)
        targets[f'{name}_valid'] = torch.tensor([True, True, name == 'prompt'])
    losses = model(dict(clip=torch.randn(3, 1, 16, 25, 3)), dict(clip=targets), mode='loss')
    losses['loss'].backward()
    torch.testing.assert_close(losses['loss'], losses['prompts/loss'] + losses['frames/loss'])
    assert losses['frames/with_sentence'] == pytest.approx(2 / 3)
    for head in model.heads.values():
        assert all(p.grad.any() for p in head.skeleton_projector.parameters())


@pytest.mark.parametrize('name', sorted({*FRAMES} - {DEMO}))
def test_frames_are_a_second_prompt_beside_the_same_sentences(name: str, tmp_path):
    """Their keys are the names that the videos get when they are prepared."""
    config, plain = load(name), load(name.replace('-frames', ''))
    clip, ending = (
        ('a1_s1_t1', '.mp4') if 'utdmhad' in name else ('S001C002P003R002A013', '_rgb.avi')
    )
    source = tmp_path / 'rgb'
    source.mkdir()
    write_video(source / f'{clip}{ending}', num_frames=4)
    prepare_videos(source, tmp_path / 'out')
    (listed,), _ = read_annotation(tmp_path / 'out/train.txt', '')
    for loader, other in zip(loaders(config), loaders(plain)):
        _, frames = steps(loader.dataset.pipeline, 'LoadTargets')
        assert frames.key.replace('{}', clip) == listed
        assert (frames.kind, frames.whole, frames.missing) == ('embedding', True, 'mask')
        loader.dataset.pipeline.remove(frames)
        assert loader == other
    model, heads = build(config), config.model.heads
    assert set(model.heads) == {'prompts', 'frames'}
    assert model.heads['frames'].inputs['prompt'] == 'targets.clip.frames'
    assert heads.frames.momentum == heads.prompts.momentum == config.model.momentum_encoder.momentum


def test_the_demo_goes_without_frames_by_the_documented_options():
    page = (ROOT / 'docs/extend/sentences.md').read_text(encoding='utf-8')
    options = re.findall(r'`--cfg-options (model\.heads\.frames.*?)`', page)
    assert set(build(load(DEMO, options)).heads) == {'prompts'}


CLIPS = {
    'demo-skeleton': ('videos/wave_s07_c0_000.mp4', '07'),
    'pkummd2': ('A01N02-L_3', '01'),
    'ntu60-xsub': ('S001C002P003R002A013', '003'),
    'ntu120-xsub': ('S001C002P003R002A013', '003'),
}


@pytest.mark.parametrize('dataset', CLIPS)
def test_each_graph_network_is_evaluated_as_it_was_trained(dataset: str):
    config = load('c2vl_stgcn_demo.py' if 'demo' in dataset else f'c2vl_stgcn.py@{dataset}')
    downstream = load(f'downstream/stgcn.py@{dataset}')
    assert downstream.feature_pooling.type.endswith(config.model.pooling.type)
    for theirs, own in zip(loaders(downstream), loaders(config)):
        crop = step(own, 'MakeSkeletonViews')['views'].clip[0]
        assert step(theirs, 'ResampleFrames').num_frames == crop.num_frames
        assert step(theirs, 'FormatGCNInput').num_person == config.bodies.num_persons
    clip, subject = CLIPS[dataset]
    assert re.search(downstream.linear.group_pattern, clip).group(1) == subject


def logged(work_dir: Path, key: str) -> list[float]:
    lines = next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [json.loads(line)[key] for line in lines if key in json.loads(line)]


@pytest.mark.parametrize('name', ['c2vl_gru_nwucla.py', 'ms2l-c2vl_gru_nwucla.py'])
def test_it_trains_softens_and_tests(name, train, tmp_path):
    runner = train(name)
    alphas = logged(tmp_path, 'prompts/alpha')
    assert alphas == sorted(alphas) and alphas[0] == 0 < alphas[-1] < 0.5
    # The log is a mean over a window: 6 of 8 clips have a sentence in each whole epoch.
    assert logged(tmp_path, 'prompts/with_sentence')[-1] == pytest.approx(0.75)
    metrics = runner.test()
    assert 0 <= metrics['prompts/accuracy'] <= 1
    assert np.isfinite(metrics['prompts/chance'])


def test_a_resumed_run_is_the_run_that_never_stopped_and_has_no_picture(train, tmp_path):
    from tools import visualize

    name, half = 'c2vl_gru_nwucla.py', str(tmp_path / 'epoch_1.pth')
    straight = train(name)
    resumed = train(name, resume=True, load_from=half)
    pairs = zip(straight.model.state_dict().values(), resumed.model.state_dict().values())
    assert all(torch.equal(one, other) for one, other in pairs)
    straight.cfg.dump(tmp_path / 'config.py')
    with pytest.raises(SystemExit, match=r'no picture of its tasks \(prompts\).*gallery'):
        visualize.main([str(tmp_path / 'config.py'), str(tmp_path)])  # the newest


def test_the_sentence_drawn_depends_on_seed_and_epoch_alone(on_made_set):
    config = on_made_set('c2vl_gru_nwucla.py').train_dataloader.dataset
    dataset = DATASETS.build(config)

    def drawn(epoch: int, order: list[int]) -> dict[int, list[float]]:
        dataset.set_progress(5, epoch)
        return {i: dataset[i]['targets']['clip']['prompt'][0, :3].tolist() for i in order}

    epochs = [drawn(epoch, list(range(8))) for epoch in range(6)]
    assert drawn(2, [6, 3, 0, 7, 1, 5, 2, 4]) == epochs[2]
    assert len({tuple(epoch[0]) for epoch in epochs}) > 1
    targets = dataset[7]['targets']['clip']
    assert not targets['prompt_valid'] and not targets['prompt'].any()
    assert dataset[0]['targets']['clip']['prompt_valid']
    # Wrong sentences are another cache of the same folder.
    config.target_caches = dict(prompt='prompts_shuffled20.lmdb')
    shuffled = DATASETS.build(config)
    assert [bool(d[7]['targets']['clip']['prompt_valid']) for d in (dataset, shuffled)] == [0, 1]
    config.target_caches = dict(sentences='prompts_shuffled20.lmdb')
    with pytest.raises(ConfigError, match="target_caches.*'sentences'"):
        DATASETS.build(config)
