"""Tables of few labels a class: cells, chosen readouts, and errors."""

from __future__ import annotations

import pytest

from mmact_ssl.errors import ConfigError
from research.markers import fill


def filled(results, name):
    text = f'<!-- fewshot:{name} -->\n<!-- /fewshot:{name} -->'
    return fill(text, results).splitlines()[1:-1]


@pytest.fixture
def results(make_result) -> list:
    def made(method, shift):
        draws = {
            'lda@10': [0.7 + shift, 0.9 + shift],
            'nearest-mean@1': [0.1 + shift, 0.3 + shift],
            'nearest-mean@10': [0.5 + shift, 0.5 + shift],
        }
        return make_result(
            method=method,
            dataset='jhmdb',
            protocol='fewshot',
            metrics={'chance': 0.05},
            details=dict(draws=draws, drawn='same'),
        )

    return [made('ImageNet start', 0), made('DTG-Net', 0.05)]


def test_each_number_of_labels_has_its_readout(results):
    assert filled(results, 'jhmdb/ImageNet_start/DTG-Net?nearest-mean,lda') == [
        '| Data | Encoder | 1 label, nearest-mean | 10 labels, lda |',
        '| --- | --- | ---: | ---: |',
        '| JHMDB, videos (chance 5.0) | ImageNet start | 20.0 ± 127.1 | 80.0 ± 127.1 |',
        '| JHMDB, videos (chance 5.0) | DTG-Net | 25.0 ± 127.1 | 85.0 ± 127.1 |',
    ]


def test_a_row_of_differences_is_paired_by_draw(results):
    results[1].details['draws']['lda@10'] = [0.76, 0.95]
    (line,) = filled(results, 'jhmdb/DTG-Net_minus_ImageNet_start?nearest-mean,lda')[2:]
    cells = '| DTG-Net minus ImageNet start | +5.0 ± 0.0 | +5.5 ± 6.4 |'
    assert line == f'| JHMDB, videos (chance 5.0) {cells}'


def test_a_set_with_more_labels_gives_the_columns(results, make_result):
    small = make_result(
        method='MS2L',
        dataset='utkinect',
        protocol='fewshot',
        metrics={'chance': 0.1},
        details=dict(draws={'lda@1': [0.5, 0.5]}, drawn='same'),
    )
    lines = filled([*results, small], 'utkinect/MS2L;jhmdb/DTG-Net?lda,lda')
    assert lines[0] == '| Data | Encoder | 1 label, lda | 10 labels, lda |'
    assert '| UT-Kinect, skeletons (chance 10.0) | MS2L | 50.0 ± 0.0 | - |' in lines
    assert '| JHMDB, videos (chance 5.0) | DTG-Net | - | 85.0 ± 127.1 |' in lines


def test_mistakes_are_named(results, make_result):
    with pytest.raises(ConfigError, match=r"give one readout for each of \['1', '10'\]"):
        filled(results, 'jhmdb/ImageNet_start?lda')
    with pytest.raises(ConfigError, match="no few-shot result of 'MS2L' on jhmdb"):
        filled(results, 'jhmdb/MS2L?lda,lda')
    results[1].details['drawn'] = 'other'
    with pytest.raises(ConfigError, match='different draws of the labels'):
        filled(results, 'jhmdb/ImageNet_start/DTG-Net?lda,lda')
    other = make_result(method='DTG-Net', dataset='jhmdb', protocol='fewshot', seed=1)
    with pytest.raises(ConfigError, match="'DTG-Net' has 2 seeds"):
        filled([*results, other], 'jhmdb/ImageNet_start/DTG-Net?lda,lda')
