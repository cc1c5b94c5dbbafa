"""Results: complete and readable again, one line a run, however many processes write."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.results import config_hash, data_version, read_results, run_name

DETAILS = {'confusion': [[3, 1], [0, 4]], 'classes': ['sit  down', 'a [b], c'], 'C': 0.1}


def test_results_are_read_as_they_were_written(make_result, tmp_path):
    written = [
        make_result(details=DETAILS),
        make_result(protocol='retrieval', seed=1),
        make_result(method='MS2L + C2VL', variant='pre-trained on nwucla', details={'clips': 6}),
        make_result(dataset='nwucla'),
    ]
    files = {str(result.write(tmp_path).relative_to(tmp_path)) for result in written[::-1]}
    assert files == {'demo/csvr.jsonl', 'demo/ms2l-c2vl.jsonl', 'nwucla/csvr.jsonl'}
    assert read_results(tmp_path) == sorted(written, key=lambda result: result.run)
    line = json.loads((tmp_path / 'demo/csvr.jsonl').read_text().splitlines()[-1])
    assert list(line) == sorted(line)
    assert line['run'] == written[0].run and line['details'] == DETAILS


def test_of_a_run_the_last_line_counts(make_result, tmp_path):
    for seed in (2, 0, 1):
        make_result(seed=seed, details=DETAILS).write(tmp_path)
    before = (tmp_path / 'demo/csvr.jsonl').read_text()
    make_result(0.75, seed=1).write(tmp_path)
    assert (tmp_path / 'demo/csvr.jsonl').read_text().startswith(before)
    found = read_results(tmp_path)
    assert found == read_results(tmp_path, 'demo') and not read_results(tmp_path, 'nwucla')
    assert [result.seed for result in found] == [0, 1, 2]
    assert found[1].metrics == {'top1': 0.75} and found[1].details == {}, 'no confusion of before'


@pytest.mark.parametrize(
    ('earlier', 'changes', 'reason'),
    [
        ({}, dict(backbone='other'), "backbone 'r3d18-small', and this result has 'other'"),
        (dict(method='MS2L two'), dict(method='ms2l-two'), "method 'MS2L two', and"),
        (dict(variant='No pose'), dict(variant='no-pose'), "variant 'No pose', and"),
        (dict(method='A', variant='b_c'), dict(method='A_b', variant='c'), "method 'A', and"),
    ],
)
def test_a_result_of_another_encoder_or_method_is_not_replaced(
    make_result, tmp_path, earlier, changes, reason
):
    kept = make_result(details=DETAILS, **earlier)
    file = kept.write(tmp_path)
    before = file.read_text()
    with pytest.raises(DataError, match=f'{reason}.*: give another --variant'):
        make_result(**changes).write(tmp_path)
    assert file.read_text() == before
    assert read_results(tmp_path) == [kept]
    make_result(**changes | dict(variant='b')).write(tmp_path)
    assert len(read_results(tmp_path)) == 2


def write_one(arguments) -> None:
    result, folder = arguments
    result.write(folder)


def test_results_that_end_at_the_same_time_are_all_kept(make_result, tmp_path):
    details = dict(confusion=np.ones((100, 100), int).tolist())  # longer than a buffer
    results = [make_result(seed=seed, details=details) for seed in range(24)]
    with ProcessPoolExecutor(4, mp_context=get_context('fork')) as pool:
        list(pool.map(write_one, [(result, tmp_path) for result in results]))
    assert read_results(tmp_path) == sorted(results, key=lambda result: result.run)


def test_names_tell_runs_apart(make_result):
    names = {
        run_name('Random init', 'full', 'demo', 'finetune', fraction, seed)
        for fraction in (0.01, 0.1, 1.0)
        for seed in (0, 1)
    }
    assert len(names) == 6
    assert 'random-init_full_demo_finetune-10pct_seed1' in names
    assert make_result().run == 'csvr_full_demo_linear_seed0'


def test_the_test_clips_are_recorded_or_counted(make_result):
    assert make_result().test_clips == 0
    assert make_result(details={'confusion': [[3, 1], [0, 2]]}).test_clips == 6
    assert make_result(metrics={'recall@1': 0.5, 'n_test': 4}).test_clips == 4


def test_a_line_that_is_not_a_result_is_refused_by_name(make_result, tmp_path):
    file = make_result().write(tmp_path)
    file.write_text(file.read_text() + '<<<<<<< HEAD\n')
    for read in (lambda: read_results(tmp_path), lambda: make_result(seed=1).write(tmp_path)):
        with pytest.raises(DataError, match=r'csvr\.jsonl:2: .*: remove the line'):
            read()


def split(ann_file='train.txt', labels=(0, 1)) -> Split:
    names = [f'v{i}.mp4' for i in range(len(labels))]
    return Split(str(ann_file), '', names, np.array(labels))


def test_the_config_hash_follows_settings_and_samples_but_not_the_folder(monkeypatch):
    config = {'ann': 'data/jhmdb/train.txt', 'k': 5}
    lines = split().lines(), split('test.txt').lines()
    first = config_hash(config, *lines)
    assert first == config_hash(dict(reversed(config.items())), *lines)
    assert first != config_hash({**config, 'k': 6}, *lines)
    assert first != config_hash(config, split(labels=(1, 0)).lines(), lines[1])
    monkeypatch.setenv('MMACT_SSL_DATA', '/far/away')
    assert first == config_hash({**config, 'ann': '/far/away/jhmdb/train.txt'}, *lines)


def test_the_data_version_follows_annotations_and_skeletons(tmp_path):
    train, test = split(tmp_path / 'train.txt'), split(tmp_path / 'test.txt')
    moved = replace(test, skeletons='other coordinates')
    first = data_version(train, test)
    others = [data_version(train, split(labels=(1, 1))), data_version(train, moved)]
    assert len({first, *others}) == 3
