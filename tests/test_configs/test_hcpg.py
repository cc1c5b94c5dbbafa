"""HCPG's configs: shapes fit, ablations are options."""

from __future__ import annotations

import pytest

from tests.shipped import build, load


@pytest.mark.parametrize('name', ['hcpg_r3d_k400.py', 'hcpg_r3d.py@ucf101'])
def test_large_sets_are_contrasted_with_a_queue(name: str):
    model = build(load(name))
    assert model.encode_names == ('clip',) and model.momentum_views == ('clip_b',)
    for task in ('appearance', 'motion'):
        assert model.heads[task].inputs['key'] == f'clip_b.momentum_{task}'
        assert len(model.heads[task].queue.features) >= 4096
    assert len(model.momentum_pairs()) == 3
    exported = {key for key in model.state_dict() if key.startswith('backbone.')}
    assert len(exported) == len(model.backbone.state_dict())
