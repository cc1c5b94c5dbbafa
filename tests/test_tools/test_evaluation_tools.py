"""The command lines of evaluate and test."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import print_log

from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder
from mmact_ssl.engine.record import write_encoder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import write_labeled_lists
from mmact_ssl.evaluation.protocols import PROTOCOLS, base
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.evaluation.results import Result, read_results
from tests.conftest import write_labeled_video
from tests.helpers.students import write_student
from tests.test_apis.test_compare import write_folder
from tools import evaluate
from tools import test as test_tool


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


ENCODER = 'r3d18-small,side=32,frames=2'
JHMDB = ('--set', 'jhmdb')
RANDOM = ('--encoder', ENCODER, '--random', *JHMDB)
CHEAP = ['--cfg-options', 'linear.penalties=(0.1,)', 'linear.max_iter=20']


@pytest.fixture
def encoder() -> EncoderConfig:
    """The encoder of these tests."""
    return read_encoder(ENCODER)


def evaluated(out: str, *argv: str) -> list[Result]:
    """The results of a command line, in the order of their runs' names."""
    evaluate.main([*argv, '--out', out, *CHEAP])
    return read_results(out)


def test_results_before_an_error_are_printed_and_written(world, capsys, monkeypatch):
    def fail(inputs, k, main_k, temperature):
        print_log('a message', 'current')
        raise DataError('the disk is gone')

    monkeypatch.setitem(PROTOCOLS, 'knn', replace(PROTOCOLS['knn'], evaluate=fail))
    argv = ['linear,retrieval,knn', *RANDOM, '--out', 'results']
    with pytest.raises(SystemExit, match='error: the disk is gone'):
        evaluate.main([*argv, *CHEAP])
    shown, messages = capsys.readouterr()
    assert 'recall@20' in shown and 'recall@50' not in shown, '42 clips are searched'
    assert 'Random init full on jhmdb, seed 0' in shown and 'knn' not in shown
    assert ' a message\n' in messages and 'INFO' not in messages
    result, retrieval = read_results('results')
    assert result.run == 'random-init_full_jhmdb_linear_seed0'
    assert retrieval.run == 'random-init_full_jhmdb_retrieval_seed0'
    assert result.checkpoint_hash == 'random'
    assert np.array(result.details['confusion']).shape == (21, 21)
    assert (Path(result.config).stem, result.backbone) == ('r3d18-small', 'r3d18-small-32')


def test_seeds_and_fractions_of_one_encoder_share_its_features(world, encoder, capsys, monkeypatch):
    """A random encoder has weights of its own for each seed."""
    extracted, extract = [], base.extract_features
    monkeypatch.setattr(
        base, 'extract_features', lambda *args: extracted.append(1) or extract(*args)
    )
    options = ['--seeds', '0', '1', '--label-fraction', '1,0.5']
    results = evaluated('of_random', 'knn', *RANDOM, *options)
    shown = capsys.readouterr().out
    assert 'Random init full on jhmdb, seeds 0, 1' in shown and '± deviation' in shown
    assert 'knn, 50 %' in shown
    assert len(extracted) == 4, 'two splits of two encoders'
    assert len({result.metrics['effective_rank'] for result in results}) == 2

    write_student(Path('x.pth'), encoder)
    extracted.clear()
    results = evaluated('of_file', 'knn', *JHMDB, 'x.pth', *options)
    assert len(extracted) == 2
    assert [(r.seed, r.label_fraction) for r in results] == [(0, 0.5), (1, 0.5), (0, 1.0)]


def planned(*argv: str) -> tuple[str, list]:
    """The method, and the inputs that a command line evaluates."""
    method, evaluations = evaluate.plan(evaluate.parse_args(list(argv)))
    return method, [inputs for inputs, _ in evaluations]


def test_only_what_changes_with_the_seed_is_measured_again(world, encoder):
    """The labels of joint training are in its checkpoint."""
    write_student(Path('x.pth'), encoder, labels=dict(dataset='jhmdb', fraction=0.5, seed=0))
    write_student(Path('y.pth'), encoder)
    text, three = 'linear, knn,linear,finetune', ['linear', 'knn', 'finetune']
    by_fraction = [(0, 0.5, ['linear']), (0, 1.0, ['linear']), (1, 0.5, ['linear'])]
    for words, expected in (
        ([text, 'y.pth'], [(0, 1.0, three), (1, 1.0, ['finetune'])]),
        ([text, *RANDOM[:3]], [(0, 1.0, three), (1, 1.0, three)]),
        (['linear', 'y.pth', '--label-fraction', '0.5,1'], by_fraction),
        (['joint', 'x.pth', '--label-fraction', '0.5'], [(0, 0.5, ['joint'])]),
    ):
        _, found = evaluate.plan(evaluate.parse_args([*words, *JHMDB, '--seeds', '0', '1']))
        assert [(i.seed, i.label_fraction, names) for i, names in found] == expected


def test_a_start_that_the_config_names_is_one_encoder(world, encoder):
    torch.save({}, 'start.pth')
    for backbone, seeds in (
        (dict(type='x'), [0, 1]),
        (dict(type='x', pretrained='start.pth'), [0]),
        (dict(type='x', backbone=dict(type='y', pretrained='start.pth')), [0, 1]),
    ):
        write_encoder(Path('mine.py'), replace(encoder, backbone=backbone))
        argv = ['linear', '--encoder', 'mine.py', '--random', *JHMDB, '--seeds', '0', '1']
        assert [inputs.seed for inputs in planned(*argv)[1]] == seeds


def test_names_come_from_the_checkpoint_unless_given(world, encoder):
    """Of the method, and of the folder of a fine-tuned network."""
    for name, config in (('trained', 'ms2l-mine_gru'), ('tuned', ''), ('odd', '[/b]')):
        Path('work_dirs', name).mkdir(parents=True)
        record = dict(encoder=encoder.record, config=config)
        checkpoint = dict(state_dict={'a': torch.zeros(1)}, meta=dict(record=record))
        torch.save(checkpoint, f'work_dirs/{name}/epoch_4.pth')
    for argv, method, folder in (
        (['work_dirs/trained/epoch_4.pth'], 'ms2l-mine_gru', 'trained-epoch_4'),
        (['work_dirs/trained/epoch_4.pth', '--method', 'MS2L'], 'MS2L', 'ms2l'),
        (['work_dirs/tuned/epoch_4.pth'], 'unnamed', 'tuned-epoch_4'),
        (['work_dirs/odd/epoch_4.pth'], 'unnamed', 'odd-epoch_4'),
        (['--encoder', ENCODER, '--random'], 'Random init', 'random-init'),
    ):
        found, (inputs,) = planned('finetune', *JHMDB, *argv, '--seeds', '1')
        folder = f'work_dirs/evaluate/{folder}_full_jhmdb_finetune_seed1'
        assert (found, inputs.work_dir) == (method, folder)
    _, several = planned('finetune', *RANDOM, '--work-dir', 'x', '--seeds', '1', '2')
    assert several[1].work_dir == 'x/random-init_full_jhmdb_finetune_seed2'
    _, (one,) = planned('finetune', *RANDOM, '--work-dir', 'x')
    assert one.work_dir == 'x'


def test_every_evaluation_is_checked_before_the_first_one(world, encoder):
    labels = dict(dataset='jhmdb', fraction=1.0, seed=0)
    write_student(Path('x.pth'), encoder, labels=labels)
    with pytest.raises(ConfigError, match='trained with a fraction of 1 of the labels of jhmdb'):
        planned('joint', *JHMDB, 'x.pth', '--label-fraction', '1,0.1')


def test_a_checkpoint_without_a_record_needs_the_name_of_its_encoder(world, encoder):
    write_student(Path('x.pth'), encoder)
    content = torch.load('x.pth')
    torch.save(content['state_dict'], 'x.pth')
    (result,) = evaluated('results', 'knn', *JHMDB, 'x.pth', '--encoder', ENCODER)
    assert result.checkpoint_hash != 'random' and result.backbone == 'r3d18-small-32'


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['knn', *JHMDB], 'either a checkpoint or --random'),
        (['knn', *JHMDB, 'x.pth', '--random'], 'either a checkpoint or --random'),
        (['knn', *JHMDB, '--random'], '--random: give --encoder NAME'),
        (['knn', 'x.pth'], 'give --data DIR or --set NAME'),
        (['knn', *RANDOM, '--out', __file__], 'test_evaluation_tools.py is a file, not a folder'),
        (['knn', *RANDOM, '--method', 'x' * 1900], '--method: give at most 100 letters'),
        (['knn', *RANDOM, '--seeds', '-1'], '--seeds: give 0 to 4294967295'),
    ],
)
def test_a_command_line_that_does_not_fit(argv, message, capsys):
    with pytest.raises(SystemExit):
        evaluate.parse_args(argv)
    assert message in capsys.readouterr().err


def test_a_finetuned_recognizer_is_evaluated_and_loads_in_stock_mmaction2(world, capsys):
    """Its config is beside its checkpoint, which records its encoder."""
    cheap = [*CHEAP, 'train_cfg.max_epochs=1', 'finetune.min_iters_per_epoch=0']
    options = ['--label-fraction', '0.5', '--out', 'results', '--work-dir', 'tuned']
    evaluate.main(['finetune', *RANDOM, *options, *cheap])
    (written,) = read_results('results')
    assert written.label_fraction == 0.5
    assert len(Path('tuned/labeled_samples.txt').read_text().splitlines()) == 21
    (config,) = Path('tuned').glob('*.py')
    test_tool.main([str(config), 'tuned/epoch_1.pth', '--work-dir', 'tested'])
    shown = capsys.readouterr().out
    assert f'acc/top1: {written.metrics["top1"]:.4f}' in shown, 'the same accuracy'
    (linear,) = evaluated('of_tuned', 'linear', *JHMDB, 'tuned')
    assert linear.config == 'mmact_ssl::encoders/r3d18-small.py'

    from mmaction.apis import inference_recognizer, init_recognizer
    from mmengine.dataset import Compose

    recognizer = init_recognizer(str(config), 'tuned/epoch_1.pth', device='cpu')
    weights = torch.load('tuned/epoch_1.pth', weights_only=False)['state_dict']
    assert weights.keys() == recognizer.state_dict().keys()
    video = Path(os.environ['MMACT_SSL_DATA'], 'jhmdb/videos/0_0.mp4')
    pipeline = Compose(recognizer.cfg.test_dataloader.dataset.pipeline)
    assert inference_recognizer(recognizer, str(video), pipeline).pred_score.shape == (21,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Skeletons of three classes, without a test list."""
    return write_folder(tmp_path / 'mine')


SKELETONS = read_encoder('gru-streams,layout=kinect20')


def test_labels_of_a_part_are_enough(folder, tmp_path):
    """Pre-training reads all clips of a folder, evaluation those with a label."""
    names = (folder / 'all.txt').read_text().split('\n')[:-1]
    unlabeled = [line.split()[0] for line in names[12:]]
    (folder / 'all.txt').write_text('\n'.join([*unlabeled, *names[:12]]))
    checkpoint = str(write_student(tmp_path / 'a.pth', SKELETONS))
    evaluate.main(['linear,knn', '--data', str(folder), checkpoint])
    lists = [(folder / f'labeled_{split}.txt').read_text() for split in ('train', 'test')]
    assert sorted(''.join(lists).split('\n')[:-1]) == sorted(names[:12])


@pytest.mark.parametrize('named', ['test', 'train'])
def test_a_list_that_an_option_names_is_not_replaced(named, folder):
    text = (folder / 'all.txt').read_text()
    (folder / 'all.txt').write_text(text.replace('c03 0', 'c03'))
    option = f'{named}_dataloader.dataset.ann_file={folder}/other.txt'
    cfg, _ = read_evaluation(SKELETONS, str(folder), options=[option])
    write_labeled_lists(cfg)
    assert cfg[f'{named}_dataloader'].dataset.ann_file == f'{folder}/other.txt'
    if named == 'test':
        labeled = Path(cfg.train_dataloader.dataset.ann_file).read_text()
        assert labeled == text.replace('c03 0\n', '')
    assert not list(folder.glob('split_*.txt'))


def test_clips_whose_labels_were_trained_on_are_not_held_out(folder, tmp_path):
    plain = str(write_student(tmp_path / 'a.pth', SKELETONS))
    labels = dict(dataset='mine', fraction=1.0, seed=0)
    trained = str(write_student(tmp_path / 'joint.pth', SKELETONS, labels=labels))
    for words in (['knn,joint', plain], ['knn', trained]):
        with pytest.raises(SystemExit, match='no test list, and the student was trained with its'):
            evaluate.main([*words, '--data', str(folder)])
    assert not list(folder.glob('labeled_*.txt'))
