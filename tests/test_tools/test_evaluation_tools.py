"""The command lines of evaluate and test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.protocols import PROTOCOLS, plan_steps
from mmact_ssl.evaluation.results import Result, read_results
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
            path = root / f'videos/{label}_{number}.mp4'
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (32, 32))
            for _ in range(4):
                writer.write(np.full((32, 32, 3), 10 * label + number, dtype=np.uint8))
            writer.release()
            lines['train' if number else 'test'].append(f'videos/{path.name} {label}\n')
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
    'linear_adam.round_steps=20',
    'linear_adam.max_rounds=1',
]


def test_evaluate_prints_and_writes(world, capsys):
    evaluate.main(['linear,retrieval', *LINEAR, '--random', '--out', 'results', *CHEAP])
    shown = capsys.readouterr().out
    assert 'recall@20' in shown and 'recall@50' not in shown, '42 clips are searched'
    assert 'Random init full on jhmdb, seed 0' in shown
    result, retrieval = read_results('results')
    assert result.run == 'random-init_full_jhmdb_linear_seed0'
    assert retrieval.run == 'random-init_full_jhmdb_retrieval_seed0'
    assert result.checkpoint_hash == 'random'
    assert np.array(result.details['confusion']).shape == (21, 21)
    assert np.array(result.details['confusion']).sum() == 21
    assert result.config.endswith('configs/downstream/r3d18-small.py')


def test_results_before_an_error_are_printed_and_written(world, capsys, monkeypatch):
    def fail(task, **settings):
        raise DataError('the disk is gone')

    knn = replace(PROTOCOLS['knn'], evaluate=fail)
    monkeypatch.setitem(PROTOCOLS, 'knn', knn)
    argv = ['linear-adam,knn', *LINEAR, '--random', '--out', 'results']
    with pytest.raises(SystemExit, match='error: the disk is gone'):
        evaluate.main([*argv, *CHEAP])
    shown = capsys.readouterr().out
    assert 'linear-adam' in shown and 'knn' not in shown
    assert [result.protocol for result in read_results('results')] == ['linear-adam']


def test_several_seeds_are_one_table(world, capsys):
    argv = ['linear-adam', *LINEAR, '--random', '--seeds', '0', '1', '--label-fraction', '0.5']
    evaluate.main([*argv, '--out', 'results', *CHEAP])
    shown = capsys.readouterr().out
    assert 'Random init full on jhmdb, seeds 0, 1' in shown
    assert '± deviation' in shown
    assert 'linear-adam, 50 %' in shown
    names = sorted(path.as_posix() for path in Path('results').rglob('[!.]*.*'))
    assert names == [
        'results/jhmdb/random-init.jsonl',
        'results/labels/jhmdb_50pct_seed0.txt',
        'results/labels/jhmdb_50pct_seed1.txt',
    ]
    assert [result.run for result in read_results('results')] == [
        f'random-init_full_jhmdb_linear-adam-50pct_seed{seed}' for seed in (0, 1)
    ]
    drawn = [Path(name).read_text() for name in names[1:]]
    assert drawn[0] != drawn[1]
    assert all(len(text.splitlines()) == 21 for text in drawn)


def test_two_encoders_are_compared_on_the_same_draws(world, capsys):
    """The encoders differ, the labels do not; with two clips a class two are all labels."""
    options = ['--set', 'jhmdb', '--random', '--out', 'results', *CHEAP, 'fewshot.draws=3']
    evaluate.main(['fewshot', CONFIG, '--method', 'Start', *options])
    with pytest.raises(SystemExit, match="no few-shot result of 'Stat' on jhmdb"):
        evaluate.main(['fewshot', CONFIG, *options, '--compare', 'Stat'])
    capsys.readouterr()
    evaluate.main(['fewshot', CONFIG, '--seed', '1', *options, '--compare', 'Start'])
    shown = ' '.join(capsys.readouterr().out.split())
    first, second = sorted(read_results('results'), key=lambda result: result.method != 'Start')
    assert first.details['drawn'] == second.details['drawn']
    assert {name: len(values) for name, values in first.details['draws'].items()} == {
        **{f'{readout}@1': 3 for readout in ('nearest-mean', 'logistic')},
        **{f'{readout}@2': 1 for readout in ('nearest-mean', 'lda', 'logistic')},
    }
    assert 'Random init minus Start on jhmdb, paired by draw' in shown
    clips = second.metrics['n_test']
    note = f'covers the draws alone: one of the {clips} test clips is {100 / clips:.1f} points'
    assert shown.count(note) == 2, 'below the table, and below that of the differences'
    name = 'nearest-mean@1'
    difference = 100 * (second.metrics[name] - first.metrics[name])
    means = [f'{100 * result.metrics[name]:.1f} ± ' for result in (first, second)]
    row = shown.split('│ nearest-mean@1 │')[-1].split('│')[:3]
    assert [cell.split('±')[0].strip() for cell in row] == [
        *(mean.split(' ')[0] for mean in means),
        f'{difference:+.1f}',
    ]


def test_compare_needs_fewshot_and_a_folder(capsys):
    for protocols, options in (('linear', ['--out', 'results']), ('fewshot', [])):
        with pytest.raises(SystemExit):
            evaluate.parse_args([protocols, CONFIG, '--random', '--compare', 'Start', *options])
        assert '--compare: for the protocol fewshot, with --out' in capsys.readouterr().err


@pytest.fixture
def made_result(make_result):
    """Makes a result of MS2L on JHMDB."""

    def make(seed=0, value=0.5, **changes) -> Result:
        metrics = {'top1': value, 'feature_std': value, 'effective_rank': 9 * value}
        values = dict(method='MS2L', dataset='jhmdb', metrics=metrics, checkpoint_hash='one')
        return make_result(**{**values, 'seed': seed, 'synthetic': False, **changes})

    return make


def test_only_what_changes_with_the_seed_is_measured_again():
    first = (3, 1.0, ['linear', 'knn', 'finetune'])
    protocols = 'linear,knn,finetune'
    assert plan_steps(protocols, (), [3, 4], True) == [first, (4, 1.0, ['finetune'])]
    assert plan_steps(protocols, (), [3, 4], False) == [first, (4, *first[1:])]
    assert plan_steps('linear', (0.1, 1.0), [3, 4], True) == [
        (3, 0.1, ['linear']),
        (3, 1.0, ['linear']),
        (4, 0.1, ['linear']),
    ]
    # The labels of joint training are in its checkpoint.
    assert plan_steps('joint', (0.1,), [3, 4], True) == [(3, 0.1, ['joint'])]


@pytest.mark.parametrize(
    ('backbone', 'seeds'),
    [
        (dict(type='x'), [0, 1]),
        (dict(type='x', pretrained='start.pth'), [0]),
        (dict(type='x', backbone=dict(type='y', pretrained='start.pth')), [0, 1]),
    ],
)
def test_a_start_that_the_config_names_is_one_encoder(world, monkeypatch, backbone, seeds):
    measured = []
    monkeypatch.setattr(
        'mmact_ssl.evaluation.evaluate.evaluate',
        lambda request, protocols, features: measured.append(request.seed) or [],
    )
    torch.save({}, 'start.pth')
    cfg = Config(dict(dataset_name='x', model=dict(backbone=backbone, cls_head=dict())))
    monkeypatch.setattr(evaluate, 'load_config', lambda args: (cfg, {}))
    evaluate.run(evaluate.parse_args(['linear', 'c.py', '--random', '--seeds', '0', '1']))
    assert measured == seeds


def test_each_seed_has_its_checkpoint_and_folder(world, monkeypatch, made_result):
    calls = []

    def stand_in(request, protocols, features):
        calls.append((protocols, request))
        return [
            made_result(
                request.seed,
                protocol=protocols[0],
                label_fraction=request.label_fraction,
                pretrained_on=request.pretrained_on,
            )
        ]

    monkeypatch.setattr('mmact_ssl.evaluation.evaluate.evaluate', stand_in)
    for path in map(Path, ('run0/x.pth', 'run5/x.pth', 'x.pth')):
        path.parent.mkdir(exist_ok=True)
        torch.save({'state_dict': {}}, path)
    argv = ['transfer,semi', *LINEAR, 'run{seed}/x.pth', '--label-fraction', '0.1', '--seeds', '0']
    argv += ['5', '--method', 'MS2L', '--pretrained-on', 'nwucla', '--out', 'results']
    evaluate.main([*argv, '--work-dir', 'tuned'])
    assert [(protocols, request.checkpoint.path) for protocols, request in calls] == [
        (['linear', 'finetune'], 'run0/x.pth'),
        (['linear', 'finetune'], 'run5/x.pth'),
    ]
    request = calls[1][1]
    assert request.work_dir == 'tuned/ms2l_full_jhmdb-from-nwucla_finetune-10pct_seed5'
    assert request.pretrained_on == 'nwucla'
    assert request.label_lists == str(Path('results/labels'))
    runs = [result.run for result in read_results('results')]
    assert 'ms2l_full_jhmdb-from-nwucla_linear-10pct_seed5' in runs
    evaluate.main(['finetune', *LINEAR, 'x.pth', '--work-dir', 'tuned'])
    assert calls[-1][1].work_dir == 'tuned', 'the folder of the only run'
    assert calls[-1][1].label_lists is None


def test_the_method_is_that_of_the_checkpoint_unless_given(world, monkeypatch):
    methods = []
    monkeypatch.setattr(
        'mmact_ssl.evaluation.evaluate.evaluate',
        lambda request, protocols, features: methods.append(request.method) or [],
    )
    for name, experiment, cfg in (
        ('plain', '', ''),
        ('trained', 'ms2l-mine_gru_20250101_120000', 'model = dict(heads=dict())'),
        ('tuned', 'finetune_x_140012_20250101_120000', 'model = dict(cls_head=dict())'),
        ('odd', '[/b]', ''),
    ):
        meta = dict(experiment_name=experiment, cfg=cfg)
        torch.save(dict(state_dict={}, meta=meta), f'{name}.pth')
    zoo = next((ROOT / 'zoo').glob('csvr_*.safetensors'))
    for argv in (
        ['trained.pth'],
        ['trained.pth', '--method', 'MS2L'],
        ['trained.pth', '--join', 'plain.pth'],
        [str(zoo)],
        ['tuned.pth'],
        ['plain.pth'],
        ['odd.pth'],
        ['--random'],
    ):
        evaluate.run(evaluate.parse_args(['knn', *LINEAR, *argv]))
    assert methods == ['ms2l-mine_gru', 'MS2L', 'unnamed', 'CSVR', *3 * ['unnamed'], 'Random init']


def test_each_student_is_fine_tuned_in_its_own_folder(world, monkeypatch):
    folders = []
    monkeypatch.setattr(
        'mmact_ssl.evaluation.evaluate.evaluate',
        lambda request, protocols, features: folders.append(request.work_dir) or [],
    )
    monkeypatch.setattr('mmact_ssl.apis.zoo.find_model', lambda where: 'x.pth')
    torch.save({'state_dict': {}}, 'x.pth')
    Path('work_dirs/a/run1').mkdir(parents=True)
    for argv in (
        ['work_dirs/a'],
        ['work_dirs/a/run{seed}'],
        ['work_dirs/a/epoch_4.pth'],
        ['../b/epoch_4.pth', '--prefix', 'momentum_backbone.'],
        [f'{"long/" * 60}/work_dirs/c/epoch_2.pth'],
        [f'/{"long/" * 60}/d/epoch_2.pth'],
        ['dtg_tsm-lite0_jhmdb'],
        ['work_dirs/a', '--method', 'CSVR'],
        ['--random'],
    ):
        evaluate.run(evaluate.parse_args(['finetune', *LINEAR, *argv, '--seed', '1']))
    assert [folder.removeprefix('work_dirs/evaluate/') for folder in folders] == [
        f'{name}_full_jhmdb_finetune_seed1'
        for name in (
            'a',
            'a-run1',
            'a-epoch_4',
            'b-epoch_4-momentum_backbone.',
            'c-epoch_2',
            'd-epoch_2',
            'dtg_tsm-lite0_jhmdb',
            'csvr',
            'random-init',
        )
    ]


def test_every_step_is_checked_before_the_first_one(world, monkeypatch):
    def started(request, protocols, features):
        raise AssertionError(f'{protocols} run')

    monkeypatch.setattr('mmact_ssl.evaluation.evaluate.evaluate', started)
    parts = ['--label-fraction', '1,0.1']
    for protocol in ('retrieval', 'all'):
        with pytest.raises(SystemExit, match='retrieval draws no labels: .* --label-fraction'):
            evaluate.main([protocol, *LINEAR, '--random', *parts])
    read = "labels_read = dict(dataset='jhmdb', fraction=1.0, seed=0)"
    torch.save({'state_dict': {}, 'meta': {'cfg': read}}, 'x_0.pth')
    with pytest.raises(SystemExit, match='trained with a fraction of 1 of the labels of jhmdb'):
        evaluate.main(['joint', *LINEAR, 'x_0.pth', *parts])
    with pytest.raises(SystemExit, match=r'x_1\.pth is missing'):
        evaluate.main(['knn', *LINEAR, 'x_{seed}.pth', '--seeds', '0', '1'])


def test_evaluate_reports_mistakes_in_one_line(world, monkeypatch):
    def error(*argv):
        with pytest.raises(SystemExit) as caught:
            evaluate.main(list(argv))
        message = str(caught.value)
        assert message.startswith('error: ')
        assert '\n' not in message
        return message

    assert 'none.pth is missing' in error('knn', *LINEAR, 'none.pth')
    assert 'none.py: no such config' in error('knn', 'none.py', '--random')
    off = ['--cfg-options', 'optim_wrapper=None']
    assert 'no training schedule' in error('finetune', *LINEAR, '--random', *off)
    options = ['--cfg-options', 'model.cls_head.num_classes=5']
    assert '21 classes' in error('knn', *LINEAR, '--random', *options)
    torch.save({'state_dict': {}}, 'x.pth')
    assert '--pretrained-on' in error('linear,transfer', *LINEAR, 'x.pth')
    assert '--pretrained-on' in error('transfer', *LINEAR, 'x.pth', '--pretrained-on', 'jhmdb')
    pretraining = str(ROOT / 'configs/csvr_r3d_jhmdb.py')
    assert 'not a downstream config' in error('knn', pretraining, '--random')
    monkeypatch.setenv('MMACT_SSL_DATA', 'nowhere')
    assert 'python tools/prepare_data.py jhmdb' in error('knn', *LINEAR, '--random')


def test_a_checkpoint_or_random_must_be_given(capsys):
    for more in ([], ['x.pth', '--random'], ['--random', '--teacher', 'x.lmdb']):
        with pytest.raises(SystemExit):
            evaluate.parse_args(['knn', *LINEAR, *more])
        assert 'either a checkpoint, --random or --teacher' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate.parse_args(['knn', *LINEAR, '--random', '--pretrained-on', 'nwucla'])
    assert 'pre-trained on nothing' in capsys.readouterr().err
    # As `make demo` writes it; argparse alone would refuse the checkpoint after the options.
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
