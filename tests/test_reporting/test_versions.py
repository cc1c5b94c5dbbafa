"""Versions of a measurement in the tables."""

from __future__ import annotations

import pytest

from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.reporting.tables import EARLIER_CAPTION, make_table


@pytest.fixture
def result(make_result):
    """Makes a result of CSVR, if no other method is named."""

    def make(value, method='CSVR', **changes):
        return make_result(value, method=method, **changes)

    return make


def test_versions_of_a_measurement_are_not_mixed(result):
    """A new version renews the cells that it has whole; what an earlier one gave is marked."""

    def rows(version, *values, **changes):
        return [
            result(value=value, seed=seed, version=version, **changes)
            for seed, value in enumerate(values)
        ]

    now = PROTOCOLS['linear'].version
    # Other settings too: versions are not compared with each other.
    old = rows(now - 1, 0.5, 0.7, config_hash='old') + rows(
        now - 1, 0.2, 0.2, config_hash='old', method='MS2L'
    )
    table = make_table(old, 'demo')
    assert '| CSVR | 60.0 ± 14.1† |' in table and '| MS2L | 20.0 ± 0.0† |' in table
    assert table.count(EARLIER_CAPTION) == 1
    table = make_table(old + rows(now, 0.9), 'demo')
    assert '| CSVR | 60.0 ± 14.1† |' in table, 'one of two seeds is not the whole cell'
    table = make_table(old + rows(now, 0.9, 0.9), 'demo')
    assert '| CSVR | 90.0 ± 0.0 |' in table and '| MS2L | 20.0 ± 0.0† |' in table
    table = make_table(rows(now, 0.9, 0.9), 'demo')
    assert EARLIER_CAPTION not in table
    # Another version of what the encoders of this network are given.
    table = make_table(rows(now, 0.5) + rows(now + 1, 0.6, method='MS2L'), 'demo')
    assert '| CSVR | 50.0† |' in table and '| MS2L | 60.0 |' in table
    table = make_table(rows(now, 0.5) + rows(now + 1, 0.6, backbone='gru', config_hash='g'), 'demo')
    assert EARLIER_CAPTION not in table
