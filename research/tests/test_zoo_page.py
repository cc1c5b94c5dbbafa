"""The table of the published models."""

from __future__ import annotations

import pytest

from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.publish import make_card, write_model
from mmact_ssl.apis.zoo import INDEX, add_to_index, read_index
from mmact_ssl.evaluation.protocols import PROTOCOLS, version_of
from mmact_ssl.evaluation.results import read_results
from mmact_ssl.evaluation.student import build_recognizer
from research.tables import CAPTIONS, is_early
from research.zoo_page import zoo_blocks
from tests.shipped import ROOT
from tests.test_apis.conftest import KNOWN


@pytest.mark.parametrize('names', [dict(dataset_name='demo', config='own'), {}])
def test_the_figures_of_the_table_are_of_the_set_that_was_trained_on(
    linear_config, make_result, tmp_path, names
):
    card = make_card(linear_config, **{**KNOWN, 'trained_on': 'demo, 768 videos', **names})
    results = [
        make_result(
            value,
            dataset=dataset,
            data_version=dataset,
            checkpoint_hash=card.source_sha256,
            version=version_of('linear', 'video'),
            details=dict(confusion=[[clips, 0], [0, 0]]),
        )
        for dataset, value, clips in (('a', 0.1, 30), ('demo', 0.25, 4), ('z', 0.9, 50))
    ]
    backbone = build_recognizer(linear_config, 3).backbone
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    (tmp_path / INDEX).write_text('{}')
    add_to_index(write_model(weights, tmp_path, card, results), 'small')
    (row,) = (
        line for line in zoo_blocks(tmp_path)['zoo'].splitlines() if line.startswith('| [small]')
    )
    assert '| video, 3 x 8 frames, 64 x 64 pixels |' in row
    assert '| demo, 768 videos | 25.0 | - | 4 |' in row


def test_a_figure_of_an_earlier_version_is_marked_until_it_is_measured_again(
    linear_config, make_result, tmp_path
):
    card = make_card(linear_config, **{**KNOWN, 'dataset_name': 'demo'})
    backbone = build_recognizer(linear_config, 3).backbone
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}

    def row(*results) -> str:
        (tmp_path / INDEX).write_text('{}')
        add_to_index(write_model(weights, tmp_path, card, results), 'small')
        page = zoo_blocks(tmp_path)['zoo']
        assert page.count(CAPTIONS['†']) == ('25.0†' in page)
        return next(line for line in page.splitlines() if line.startswith('| [small]'))

    now = version_of('linear', 'video')
    own = dict(checkpoint_hash=card.source_sha256)
    early, late = (make_result(v, version=n, **own) for v, n in ((0.25, now - 1), (0.35, now)))
    assert '| 25.0† |' in row(early)
    assert '| 35.0 |' in row(early, late) and '| 35.0 |' in row(late, early)


def test_cards_and_tables_agree_which_version_is_of_today():
    """A card knows its layout, a result the data set."""
    results = read_results(ROOT / 'research/results')
    compared = 0
    for entry in read_index(ROOT / 'zoo' / INDEX).values():
        card = read_card(ROOT / 'zoo' / entry.file)
        for one in results:
            if one.checkpoint_hash == card.source_sha256 and one.protocol in PROTOCOLS:
                today = version_of(one.protocol, card.layout or 'video')
                assert is_early(one) == (one.version < today), one.run
                compared += 1
    assert compared
