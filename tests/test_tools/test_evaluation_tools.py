"""The command lines of evaluate and test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation import features
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.results import read_results
from mmact_ssl.evaluation.student import build_recognizer
from tests.conftest import write_labeled_video
from tools import evaluate
from tools import test as test_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """JHMDB's place filled with three made videos a class."""
    root = tmp_path_factory.mktemp('data') / 'jhmdb'
    (root / 'videos').mkdir(parents=True)
    lines: dict[str, list[str]] = {'train': [], 'test': []}
    for label in range(21):
        for number in range(3):
            name = f'videos/{label}_{number}.mp4'
            write_labeled_video(root / name, label % 3, 3 * label + number, frames=4)
            lines['train' if number else 'test'].append(f'{name} {label}\n')
    for split, content in lines.items():
        (root / f'{split}.txt').write_text(''.join(content))
    return root.parent


@pytest.fixture
def world(data, tmp_path, monkeypatch):
    """An empty current folder, with these videos in $MMACT_SSL_DATA."""
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


CONFIG = str(ROOT / 'configs/downstream/r3d18-small.py')
LINEAR = (CONFIG, '--set', 'jhmdb')
CHEAP = [
    '--cfg-options',
    'model.backbone.base_channels=4',
    'model.cls_head.in_channels=32',
    'test_dataloader.dataset.pipeline.1.clip_len=2',
    'linear.penalties=(0.1,)',
    'linear.max_iter=20',
]


def test_results_before_an_error_are_printed_and_written(world, capsys, monkeypatch):
    def fail(task, **settings):
        raise DataError('the disk is gone')

    monkeypatch.setitem(PROTOCOLS, 'knn', replace(PROTOCOLS['knn'], evaluate=fail))
    argv = ['linear,retrieval,knn', *LINEAR, '--random', '--out', 'results']
    with pytest.raises(SystemExit, match='error: the disk is gone'):
        evaluate.main([*argv, *CHEAP])
    shown = capsys.readouterr().out
    assert 'recall@20' in shown and 'recall@50' not in shown, '42 clips are searched'
    assert 'Random init full on jhmdb, seed 0' in shown and 'knn' not in shown
    result, retrieval = read_results('results')
    assert result.run == 'random-init_full_jhmdb_linear_seed0'
    assert retrieval.run == 'random-init_full_jhmdb_retrieval_seed0'
    assert result.checkpoint_hash == 'random'
    assert np.array(result.details['confusion']).shape == (21, 21)
    assert result.config.endswith('configs/downstream/r3d18-small.py')


def test_seeds_and_fractions_of_one_encoder_share_its_features(world, capsys, monkeypatch):
    """A random encoder has weights of its own for each seed."""
    extracted = []
    forward = features.forward_features
    monkeypatch.setattr(
        features, 'forward_features', lambda *args: extracted.append(1) or forward(*args)
    )
    argv = ['knn', *LINEAR, '--random', '--seeds', '0', '1', '--label-fraction', '1,0.5']
    results = evaluate.run(evaluate.parse_args([*argv, *CHEAP]))
    shown = capsys.readouterr().out
    assert 'Random init full on jhmdb, seeds 0, 1' in shown and '± deviation' in shown
    assert 'knn, 50 %' in shown
    assert len(extracted) == 4, 'two splits of two encoders'
    assert len({result.metrics['effective_rank'] for result in results}) == 2

    cfg, _ = evaluate.read_student(evaluate.parse_args([*argv, *CHEAP]))
    backbone = build_recognizer(cfg, 0).backbone
    torch.save({f'backbone.{k}': v for k, v in backbone.state_dict().items()}, 'x.pth')
    extracted.clear()
    argv[argv.index('--random')] = 'x.pth'
    results = evaluate.run(evaluate.parse_args([*argv, *CHEAP]))
    assert len(extracted) == 2
    assert [(result.seed, result.label_fraction) for result in results] == [
        (0, 1.0),
        (0, 0.5),
        (1, 0.5),
    ]


def test_two_encoders_are_compared_on_the_same_draws(world, capsys):
    """The encoders differ, the labels do not; with two clips a class two are all labels."""
    options = ['--set', 'jhmdb', '--random', '--out', 'results', *CHEAP, 'fewshot.draws=3']
    evaluate.main(['fewshot', CONFIG, '--method', 'Start', *options])
    with pytest.raises(SystemExit, match="no few-shot result of 'Stat' on jhmdb"):
        evaluate.main(['fewshot', CONFIG, *options, '--compare', 'Stat'])
    capsys.readouterr()
    evaluate.main(['fewshot', CONFIG, '--seeds', '1', *options, '--compare', 'Start'])
    shown = ' '.join(capsys.readouterr().out.split())
    first, second = sorted(read_results('results'), key=lambda result: result.method != 'Start')
    assert first.details['drawn'] == second.details['drawn']
    assert {name: len(values) for name, values in first.details['draws'].items()} == {
        **{f'{readout}@1': 3 for readout in ('nearest-mean', 'logistic')},
        **{f'{readout}@2': 1 for readout in ('nearest-mean', 'lda', 'logistic')},
    }
    assert 'Random init minus Start on jhmdb, paired by draw' in shown
    name = 'nearest-mean@1'
    difference = 100 * (second.metrics[name] - first.metrics[name])
    means = [f'{100 * result.metrics[name]:.1f} ± ' for result in (first, second)]
    row = shown.split('│ nearest-mean@1 │')[-1].split('│')[:3]
    assert [cell.split('±')[0].strip() for cell in row] == [
        *(mean.split(' ')[0] for mean in means),
        f'{difference:+.1f}',
    ]


@pytest.fixture
def requests(world, monkeypatch):
    """The requests of a command line, which are recorded and not evaluated."""
    made = []
    monkeypatch.setattr(
        'mmact_ssl.evaluation.evaluate.evaluate',
        lambda request, protocols, features: made.append(request) or [],
    )

    def record(*argv: str) -> list:
        made.clear()
        evaluate.run(evaluate.parse_args(list(argv)))
        return made

    return record


def test_a_start_that_the_config_names_is_one_encoder(requests, monkeypatch):
    torch.save({}, 'start.pth')
    for backbone, seeds in (
        (dict(type='x'), [0, 1]),
        (dict(type='x', pretrained='start.pth'), [0]),
        (dict(type='x', backbone=dict(type='y', pretrained='start.pth')), [0, 1]),
    ):
        cfg = Config(dict(dataset_name='x', model=dict(backbone=backbone, cls_head=dict())))
        monkeypatch.setattr(evaluate, 'read_student', lambda args: (cfg, None))  # noqa: B023
        found = requests('linear', 'c.py', '--random', '--seeds', '0', '1')
        assert [request.seed for request in found] == seeds


def test_names_come_from_the_checkpoint_unless_given(requests, monkeypatch):
    """Of the method, and of the folder of a fine-tuned network."""
    for name, experiment, cfg in (
        ('plain', '', ''),
        ('trained', 'ms2l-mine_gru_20250101_120000', 'model = dict(heads=dict())'),
        ('tuned', 'finetune_x_140012_20250101_120000', 'model = dict(cls_head=dict())'),
        ('odd', '[/b]', ''),
    ):
        Path('work_dirs', name).mkdir(parents=True)
        meta = dict(experiment_name=experiment, cfg=cfg)
        torch.save(dict(state_dict={}, meta=meta), f'work_dirs/{name}/epoch_4.pth')
    zoo = next((ROOT / 'zoo').glob('csvr_*.safetensors'))
    for argv, method, folder in (
        (['work_dirs/trained/epoch_4.pth'], 'ms2l-mine_gru', 'trained-epoch_4'),
        (['work_dirs/trained/epoch_4.pth', '--method', 'MS2L'], 'MS2L', 'ms2l'),
        ([str(zoo)], 'CSVR', f'zoo-{zoo.stem}'),
        (['work_dirs/tuned/epoch_4.pth'], 'unnamed', 'tuned-epoch_4'),
        (['work_dirs/plain/epoch_4.pth'], 'unnamed', 'plain-epoch_4'),
        (['work_dirs/odd/epoch_4.pth'], 'unnamed', 'odd-epoch_4'),
        (['--random'], 'Random init', 'random-init'),
    ):
        (request,) = requests('finetune', *LINEAR, *argv, '--seeds', '1')
        folder = f'work_dirs/evaluate/{folder}_full_jhmdb_finetune_seed1'
        assert (request.method, request.work_dir) == (method, folder)
    several = requests('finetune', *LINEAR, '--random', '--work-dir', 'x', '--seeds', '1', '2')
    assert several[1].work_dir == 'x/random-init_full_jhmdb_finetune_seed2'
    (one,) = requests('finetune', *LINEAR, '--random', '--work-dir', 'x')
    assert one.work_dir == 'x'


def test_every_step_is_checked_before_the_first_one(requests):
    parts = ['--label-fraction', '1,0.1']
    with pytest.raises(ConfigError, match='retrieval draws no labels: .* --label-fraction'):
        requests('retrieval', *LINEAR, '--random', *parts)
    read = "labels_read = dict(dataset='jhmdb', fraction=1.0, seed=0)"
    torch.save({'state_dict': {}, 'meta': {'cfg': read}}, 'x.pth')
    with pytest.raises(ConfigError, match='trained with a fraction of 1 of the labels of jhmdb'):
        requests('joint', *LINEAR, 'x.pth', *parts)


def test_a_mistake_is_one_line(world):
    training = str(ROOT / 'configs/csvr_r3d18-small.py')
    with pytest.raises(SystemExit, match='^error: .*not a downstream config.*') as caught:
        evaluate.main(['knn', training, '--random'])
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['knn', *LINEAR], 'either a checkpoint or --random'),
        (['knn', *LINEAR, 'x.pth', '--random'], 'either a checkpoint or --random'),
        (['knn', 'x.pth'], 'give --data DIR or --set NAME with a checkpoint'),
        (['linear', *LINEAR, '--random', '--compare', 'S', '--out', 'r'], '--compare: for the pro'),
        (['fewshot', *LINEAR, '--random', '--compare', 'S'], '--compare: for the protocol fewshot'),
    ],
)
def test_a_command_line_that_does_not_fit(argv, message, capsys):
    with pytest.raises(SystemExit):
        evaluate.parse_args(argv)
    assert message in capsys.readouterr().err


def test_the_checkpoint_may_come_after_the_options():
    args = evaluate.parse_args(['knn', 'c.py', '--out', 'results', '--method', 'CSVR', 'x.pth'])
    assert (args.protocols, args.config, args.checkpoint) == ('knn', 'c.py', 'x.pth')
    args = evaluate.parse_args(['linear', '--set', 'nwucla', 'x.pth'])
    assert (args.config, args.set, args.checkpoint) == (None, 'nwucla', 'x.pth')


def test_a_finetuned_recognizer_is_tested(world, capsys):
    cheap = [
        *CHEAP[:4],
        'train_cfg.max_epochs=1',
        'finetune.min_iters_per_epoch=0',
        'test_dataloader.dataset.pipeline.1.num_clips=1',
    ]
    argv = ['finetune', *LINEAR, '--random', '--label-fraction', '0.5', '--out', 'results']
    evaluate.main([*argv, '--work-dir', 'tuned', *cheap])
    (written,) = read_results('results')
    assert written.label_fraction == 0.5
    assert len(Path('tuned/labeled_samples.txt').read_text().splitlines()) == 21
    test_tool.main([*LINEAR, 'tuned/epoch_1.pth', *cheap])
    shown = capsys.readouterr().out
    assert f'acc/top1: {written.metrics["top1"]:.4f}' in shown, 'the same accuracy'
