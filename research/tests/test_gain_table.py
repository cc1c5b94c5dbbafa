"""The table of what pre-training gains: means, differences, and what it refuses."""

from __future__ import annotations

import pytest

from mmact_ssl.errors import ConfigError
from research.gain_table import DATA
from research.markers import fill

ROW = 'jhmdb/Fine-tuned,_10_%/ImageNet_start/DTG-Net_TSM'
TEXT = f'<!-- gain:{ROW} -->\n<!-- /gain:{ROW} -->'


@pytest.fixture
def results(make_result) -> list:
    few = dict(dataset='jhmdb', protocol='finetune', label_fraction=0.1)
    start = [
        make_result(v, method='ImageNet start', seed=s, **few) for s, v in enumerate((0.2, 0.3))
    ]
    after = [
        make_result(v, method='DTG-Net TSM', seed=s, checkpoint_hash=f'c{s}', **few)
        for s, v in enumerate((0.4, 0.5))
    ]
    other = make_result(0.9, method='DTG-Net TSM', **{**few, 'label_fraction': 1.0})
    return [*start, *after, other]


def test_a_row_has_both_means_and_their_difference(results):
    row = fill(TEXT, results).splitlines()[3]
    assert row == (
        '| JHMDB, videos, 10 % of the labels, fine-tuned | 25.0 ± 7.1 (ImageNet) | '
        '45.0 ± 7.1 (DTG-Net TSM) | +20.0 |'
    )


def test_a_loss_is_shown_as_one(results):
    swapped = '/'.join([*ROW.split('/')[:2], 'DTG-Net_TSM', 'ImageNet_start'])
    assert '| -20.0 |' in fill(TEXT.replace(ROW, swapped), results)


@pytest.mark.parametrize(('above', 'mark'), [(0.15, ''), (0.14, ' (within the noise)')])
@pytest.mark.parametrize('sign', [1, -1])
def test_a_difference_below_the_sum_of_both_deviations_is_marked(results, above, mark, sign):
    for run, start in zip(results[2:4], results[:2]):
        run.metrics['top1'] = start.metrics['top1'] + sign * above  # each has a deviation of 0.071
    assert f'| {sign * 100 * above:+.1f}{mark} |' in fill(TEXT, results)


def test_one_seed_does_not_tell_a_gain(results):
    with pytest.raises(ConfigError, match='one seed'):
        fill(TEXT, results[1:])


def test_missing_results_are_an_error(results):
    with pytest.raises(ConfigError, match='no results'):
        fill(TEXT, results[:2])


def test_the_deviation_of_one_pretraining_is_marked(results):
    """A start has no pre-training of ours, whatever its weights."""
    for run in results:
        run.checkpoint_hash = run.method
    row = fill(TEXT, results).splitlines()[3]
    assert '| 25.0 ± 7.1 (ImageNet) | 45.0 ± 7.1 (DTG-Net TSM, one pre-training) |' in row


def test_data_sets_have_different_names():
    assert len(set(DATA.values())) == len(DATA)


def test_results_on_other_data_are_not_compared(results, make_result):
    def other(seed):
        return make_result(
            0.9,
            method='ImageNet start',
            dataset='jhmdb',
            protocol='finetune',
            label_fraction=0.1,
            data_version='others',
            seed=seed,
        )

    for seed in (0, 1):  # any of the start's results
        with pytest.raises(ConfigError, match='different data'):
            fill(TEXT, [*results[:seed], other(seed), *results[2:]])


def test_one_checkpoint_is_one_value_whatever_the_seeds(results, make_result):
    """Its readout of all labels is the same for each seed, which is no deviation of 0."""
    row = 'jhmdb/LDA/ImageNet_start/DTG-Net_TSM'
    settings = dict(dataset='jhmdb', protocol='lda')
    start = dict(method='ImageNet start', checkpoint_hash='start', **settings)
    runs = [make_result(0.3, seed=seed, **start) for seed in (0, 1)]
    after = dict(method='DTG-Net TSM', **settings)
    runs += [make_result(0.3 + seed / 100, seed=seed, **after) for seed in (0, 1)]
    with pytest.raises(ConfigError, match='one seed'):
        fill(TEXT.replace(ROW, row), runs)
