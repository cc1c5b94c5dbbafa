"""The printed table of an evaluation: a column a seed, and what it says of them."""

from __future__ import annotations

import pytest

from mmact_ssl.evaluation.result_table import print_results


@pytest.fixture
def made_result(make_result):
    """Makes a result of one checkpoint."""

    def make(seed=0, value=0.5, **changes):
        metrics = {'top1': value, 'feature_std': value, 'effective_rank': 9 * value}
        values = dict(seed=seed, metrics=metrics, checkpoint_hash='one')
        return make_result(**{**values, **changes})

    return make


def test_the_table_has_a_column_for_each_seed(capsys, made_result):
    print_results([made_result(0, 0.25), made_result(1, 0.75)])
    shown = ' '.join(capsys.readouterr().out.split())
    assert '│ 25.0 % │ 75.0 % │ 50.0 ± 35.4 % │' in shown
    assert '│ 0.250 │ 0.750 │ 0.500 ± 0.354 │' in shown
    print_results([made_result(0), made_result(0, protocol='knn')])
    shown = capsys.readouterr().out
    assert shown.count('effective_rank') == 1, 'both protocols read the same features'


def test_a_seed_may_lack_a_metric(capsys, made_result):
    few, more = {'top1': 0.5}, {'top1': 0.5, 'top1@k=20': 0.3}
    results = [made_result(seed, metrics=metrics) for seed, metrics in enumerate((few, more))]
    for order in (1, -1):
        print_results(results[::order])
        shown = ' '.join(capsys.readouterr().out.split())
        assert '│ linear │ top1@k=20 │ │ 30.0 % │ 30.0 % │' in shown
