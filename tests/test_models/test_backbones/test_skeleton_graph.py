"""Stock graph networks on every layout, and MS2L's heads on their maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import mmact_ssl  # noqa: F401  the fixes come before any model is imported
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.weights import load_strictly
from mmact_ssl.models.backbones.skeleton_graph import build_graph_network, graph_of_layout

from mmaction.models.utils import Graph  # isort: skip

SMALL = dict(base_channels=8, num_stages=3, inflate_stages=[2], down_stages=[2])

NETWORKS = pytest.mark.parametrize(
    ('network', 'mode'),
    [
        (dict(type='mmaction.STGCN'), 'stgcn_spatial'),
        (
            dict(type='mmaction.STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'),
            'spatial',
        ),
    ],
    ids=['ST-GCN', 'ST-GCN++'],
)


@pytest.mark.parametrize('layout', list(LAYOUTS))
def test_edges_point_to_the_center(layout):
    graph, edges = graph_of_layout(layout), LAYOUTS[layout].edges
    assert {frozenset(edge) for edge in graph['inward']} == {frozenset(edge) for edge in edges}
    steps, border = {graph['center']: 0}, [graph['center']]
    while border:  # outwards, edge by edge
        joint = border.pop(0)
        ends = [end for edge in edges if joint in edge for end in edge if end not in steps]
        steps.update(dict.fromkeys(ends, steps[joint] + 1))
        border += ends
    assert len(steps) == graph['num_node'] == LAYOUTS[layout].num_joints
    assert all(steps[outer] >= steps[inner] for outer, inner in graph['inward'])
    assert Graph(layout=graph).A.shape == (3, len(steps), len(steps))


@pytest.mark.parametrize('mode', ['spatial', 'stgcn_spatial', 'binary_adj'])
@pytest.mark.parametrize(('layout', 'name'), [('ntu25', 'nturgb+d'), ('coco17', 'coco')])
def test_graphs_are_those_of_mmaction2(layout, name, mode):
    graph = graph_of_layout(layout)
    assert graph['center'] == Graph(name).center
    np.testing.assert_array_equal(Graph(graph, mode).A, Graph(name, mode).A)


@NETWORKS
def test_persons_are_encoded_apart_at_a_lower_rate(network, mode):
    torch.manual_seed(0)
    backbone = build_graph_network({**network, **SMALL}, 'kinect20', mode).eval()
    clip = torch.randn(4, 2, 8, 20, 3)
    feature_map = backbone(clip)
    assert feature_map.shape == (4, 2, 16, 4, 20)
    clip[1, 1] = 0
    torch.testing.assert_close(backbone(clip)[:, 0], feature_map[:, 0])
    with pytest.raises(ConfigError, match='STGCN got .*is built for .*, 3.: set encoder.options'):
        backbone(clip[..., :2])


@NETWORKS
def test_weights_bring_the_graph_that_they_were_trained_with(network, mode, monkeypatch):
    """A checkpoint of other edges gives the features of its own training."""
    layout = LAYOUTS['ntu25']
    hand, thumb, wrist = layout.index('left_hand', 'left_thumb', 'left_wrist')
    edges = tuple((wrist, thumb) if edge == (hand, thumb) else edge for edge in layout.edges)
    assert edges != layout.edges
    with monkeypatch.context() as patch:
        patch.setitem(LAYOUTS, 'ntu25', replace(layout, edges=edges))
        trained = build_graph_network({**network, **SMALL}, 'ntu25', mode).eval()
    built = build_graph_network({**network, **SMALL}, 'ntu25', mode).eval()
    clip = torch.randn(2, 2, 8, 25, 3)
    load_strictly(built, trained.state_dict(), 'a.pth', '')
    torch.testing.assert_close(built(clip), trained(clip), rtol=0, atol=0)
