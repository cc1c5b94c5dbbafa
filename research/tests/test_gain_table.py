"""The table of what pre-training gains: means, paired differences, and what it refuses."""

from __future__ import annotations

import pytest

from mmact_ssl.errors import ConfigError
from research.gain_table import DATA
from research.markers import fill

ROW = 'jhmdb/Fine-tuned,_10_%/ImageNet_start/DTG-Net_TSM'
TEXT = f'<!-- gain:{ROW} -->\n<!-- /gain:{ROW} -->'
FEW = dict(dataset='jhmdb', protocol='finetune', label_fraction=0.1)


@pytest.fixture
def results(make_result) -> list:
    start = [
        make_result(v, method='ImageNet start', seed=s, **FEW)
        for s, v in enumerate((0.2, 0.3, 0.4, 0.9))
    ]
    after = [
        make_result(v, method='DTG-Net TSM', seed=s, checkpoint_hash=f'c{s}', **FEW)
        for s, v in enumerate((0.4, 0.5, 0.63))
    ]
    other = make_result(0.9, method='DTG-Net TSM', **{**FEW, 'label_fraction': 1.0})
    return [*start, *after, other]


def test_a_row_has_means_of_the_common_seeds_and_the_interval_of_their_differences(results):
    # Differences 20, 20 and 23: deviation 1.732, times t(2) = 4.303, over the root of 3.
    assert fill(TEXT, results).splitlines()[3] == (
        '| JHMDB, videos, 10 % of the labels, fine-tuned | 30.0 (ImageNet) | '
        '51.0 (DTG-Net TSM) | +21.0 ± 4.3 |'
    )


def test_a_loss_is_shown_as_one(results):
    for run in results[4:7]:
        run.metrics['top1'] -= 0.4
    assert '| -19.0 ± 4.3 |' in fill(TEXT, results)


@pytest.mark.parametrize('less', [0.17, 0.25])
def test_a_gain_whose_interval_holds_0_is_told_in_words(results, less):
    for run in results[4:7]:
        run.metrics['top1'] -= less
    assert '| no gain |' in fill(TEXT, results)


def test_labels_per_class_are_paired_by_draw(make_result):
    few = dict(dataset='utdmhad', protocol='fewshot')
    moving = dict(method='DTG-Net TSM', variant='pre-trained on jhmdb, motion', **few)
    runs = [make_result(method='ImageNet start', **few), make_result(**moving)]
    for run, draws in zip(runs, ([0.2, 0.3, 0.4], [0.4, 0.5, 0.63])):
        run.details.update(draws={'lda@5': draws}, drawn='same')
    row = 'utdmhad/lda@5/ImageNet_start/DTG-Net_TSM,_pre-trained_on_jhmdb,_motion'
    assert fill(TEXT.replace(ROW, row), runs).splitlines()[3] == (
        '| UTD-MHAD, depth videos, 5 labels per class, linear discriminant analysis '
        '| 30.0 (ImageNet) | 51.0 (DTG-Net TSM + motion) | +21.0 ± 4.3 |'
    )


def test_labels_per_class_on_several_splits_are_paired_by_split(make_result):
    few = dict(dataset='utdmhad', protocol='fewshot')
    runs = []
    for seed, (start, after) in enumerate([(0.2, 0.4), (0.3, 0.5), (0.4, 0.63)]):
        for method, value in (('DTG-Net TSM', after), ('ImageNet start', start)):
            runs.append(make_result(method=method, seed=seed, data_version=f'split {seed}', **few))
            draws = [value - 0.1, value + 0.1]
            runs[-1].details.update(draws={'lda@5': draws}, drawn=f'labels {seed}')
    row = 'utdmhad/lda@5/ImageNet_start/DTG-Net_TSM'
    table = fill(TEXT.replace(ROW, row), [*runs[::2], *runs[::-2]])
    assert table.splitlines()[3].endswith('| 30.0 (ImageNet) | 51.0 (DTG-Net TSM) | +21.0 ± 4.3 |')


def test_two_pretrainings_do_not_tell_a_gain(results):
    results[6].checkpoint_hash = results[5].checkpoint_hash
    with pytest.raises(ConfigError, match='less than three pre-trainings'):
        fill(TEXT, results)


def test_missing_results_are_an_error(results):
    with pytest.raises(ConfigError, match='no results'):
        fill(TEXT, results[:2])


def test_data_sets_have_different_names():
    assert len(set(DATA.values())) == len(DATA)


def test_results_on_other_data_are_not_compared(results, make_result):
    other = make_result(0.9, method='ImageNet start', data_version='others', seed=1, **FEW)
    with pytest.raises(ConfigError, match='different data'):
        fill(TEXT, [results[0], other, *results[2:]])
