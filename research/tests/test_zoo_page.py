"""The table of the published models."""

from __future__ import annotations

import pytest

from mmact_ssl.apis.publish import make_card, write_model
from mmact_ssl.apis.zoo import INDEX, add_to_index
from mmact_ssl.evaluation.student import build_recognizer
from research.zoo_page import zoo_block
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
            details=dict(confusion=[[clips, 0], [0, 0]]),
        )
        for dataset, value, clips in (('a', 0.1, 30), ('demo', 0.25, 4), ('z', 0.9, 50))
    ]
    backbone = build_recognizer(linear_config, 3).backbone
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    (tmp_path / INDEX).write_text('{}')
    add_to_index(write_model(weights, tmp_path, card, results), 'small')
    (row,) = (line for line in zoo_block(tmp_path).splitlines() if line.startswith('| small |'))
    assert '| video, 3 x 8 frames, 64 x 64 pixels |' in row
    assert '| demo, 768 videos | none | 25.0 | - |' in row
